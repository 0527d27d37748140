package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// packaged returns a template as a release has it: CodeUri is the zip beside it, which
// sam deploy uploads as it is (upload_local_artifacts in aws/aws-sam-cli,
// samcli/lib/package/utils.py), no function is to be built, and there are no comments
// and no needless white space. It also returns the logical ids of the functions.
func packaged(text []byte) (result []byte, functions []string, err error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, nil, err
	}
	for pair := range slices.Chunk(child(document.Content[0], "Resources").Content, 2) {
		name, resource := pair[0].Value, pair[1]
		if child(resource, "Type").Value != "AWS::Serverless::Function" {
			continue
		}
		uri := child(child(resource, "Properties"), "CodeUri")
		if uri == nil || child(child(resource, "Metadata"), "BuildMethod") == nil {
			return nil, nil, fmt.Errorf("%s has no CodeUri, or no BuildMethod", name)
		}
		uri.Value = name + ".zip"
		remove(resource, "Metadata")
		functions = append(functions, name)
	}
	shorten(&document)
	var out bytes.Buffer
	err = yaml.NewEncoder(&out).Encode(&document)
	return out.Bytes(), functions, err
}

// child returns what stands in a mapping under key: nil if there is no such.
func child(mapping *yaml.Node, key string) *yaml.Node {
	if mapping != nil {
		for pair := range slices.Chunk(mapping.Content, 2) {
			if pair[0].Value == key {
				return pair[1]
			}
		}
	}
	return nil
}

func remove(mapping *yaml.Node, key string) {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content = slices.Delete(mapping.Content, i, i+2)
			return
		}
	}
}

// shorten takes the comments, indentation and line breaks out of a node and those below.
func shorten(n *yaml.Node) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	if n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode {
		n.Style |= yaml.FlowStyle
	}
	if n.Kind == yaml.ScalarNode {
		n.Value = compact(n.Value)
		if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || strings.HasPrefix(n.Value, `"`) {
			n.Style = n.Style&yaml.TaggedStyle | yaml.SingleQuotedStyle // or each " in it took two bytes
		}
	}
	for _, below := range n.Content {
		shorten(below)
	}
}

// spaces are those of JSON that stand between its texts.
var spaces = regexp.MustCompile(`("(?:[^"\\]|\\.)*")|\s+`)

// compact returns a text of the template without the white space in the JSON, or part
// of it, that it is: the dashboard and the schemas.
func compact(text string) string {
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, `"`) {
		return text
	}
	return spaces.ReplaceAllString(text, "$1")
}
