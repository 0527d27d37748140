package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"

	"refresh-poller/internal/version"
)

// sbom returns the binaries, and the modules that Go says each was built of, as JSON
// of CycloneDX. It has no serial number and no time, or it would be another each time.
func sbom(binaries []binary) ([]byte, error) {
	const product = "refresh-poller"
	modules := map[string]cyclonedx.Component{}
	var programs []cyclonedx.Component
	of := []cyclonedx.Dependency{{Ref: product, Dependencies: &[]string{}}}
	for _, b := range binaries {
		programs = append(programs, cyclonedx.Component{
			BOMRef: b.name, Type: cyclonedx.ComponentTypeApplication, Name: b.name, Version: version.Number,
			Hashes: &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: fmt.Sprintf("%x", b.sum)}},
		})
		needs := []string{}
		for _, m := range modulesOf(b) {
			modules[m.BOMRef] = m
			needs = append(needs, m.BOMRef)
		}
		*of[0].Dependencies = append(*of[0].Dependencies, b.name)
		of = append(of, cyclonedx.Dependency{Ref: b.name, Dependencies: &needs})
	}
	for _, ref := range slices.Sorted(maps.Keys(modules)) {
		programs = append(programs, modules[ref])
	}
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Component: &cyclonedx.Component{
		BOMRef: product, Type: cyclonedx.ComponentTypeApplication, Name: product, Version: version.Number,
		Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "Apache-2.0"}}},
	}}
	bom.Components, bom.Dependencies = &programs, &of
	var out bytes.Buffer
	err := cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cyclonedx.SpecVersion1_6)
	return out.Bytes(), err
}

// modulesOf returns Go's standard library and the modules that a binary was built of.
func modulesOf(b binary) []cyclonedx.Component {
	all := []cyclonedx.Component{module("std", strings.TrimPrefix(b.info.GoVersion, "go"))}
	for _, dependency := range b.info.Deps {
		all = append(all, module(dependency.Path, dependency.Version))
	}
	return all
}

func module(path, version string) cyclonedx.Component {
	// In lower case, as the specification of purl has it of Go's.
	purl := "pkg:golang/" + strings.ToLower(path) + "@" + version
	return cyclonedx.Component{
		BOMRef: purl, Type: cyclonedx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: purl,
	}
}
