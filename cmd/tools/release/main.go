// Command release builds what a release consists of into a folder, the same bytes
// each time from the same files: the stack, which needs no build to be deployed, the
// program for each platform, an SBOM of them, and their checksums.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"refresh-poller/internal/version"
)

// Limits, in bytes.
const (
	// What a template may have that is given inline, and not by way of S3
	// (CloudFormation User Guide, "Quotas").
	maxTemplate = 51_200
	// What a cold start may cost.
	maxPackage = 4_500_000
	// What shows that the linker leaves out what the program doesn't call. Once a
	// library calls methods by name, it has a half more.
	maxProgram = 16_000_000
)

// release is one to build.
type release struct {
	// root is the checkout, dist the folder to build into.
	root, dist string
	platforms  []platform
	// log is told of each file.
	log io.Writer
}

func main() {
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: release [-stack | -tag TAG] FOLDER")
	}
	stackOnly := flag.Bool("stack", false, "")
	tag := flag.String("tag", "", "")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	r := release{root: "../..", dist: flag.Arg(0), platforms: platforms, log: os.Stdout}
	err := checkTag(*tag)
	switch {
	case err != nil:
	case *stackOnly:
		_, err = r.stackFolder()
	default:
		err = r.all()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// checkTag refuses a tag of another version. Without a tag nothing is refused.
func checkTag(tag string) error {
	if want := "v" + version.Number; tag != "" && tag != want {
		return fmt.Errorf("the tag is %s, and internal/version says %s", tag, want)
	}
	return nil
}
