package stack

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// spaces are those of JSON that stand between its texts.
var spaces = regexp.MustCompile(`("(?:[^"\\]|\\.)*")|\s+`)

// pack leaves out comments, and white space that nobody needs: between the lines
// and in the JSON, or parts of it, that the template holds as texts.
func pack(node *yaml.Node) {
	node.HeadComment, node.LineComment, node.FootComment = "", "", ""
	switch node.Kind {
	case yaml.MappingNode, yaml.SequenceNode:
		node.Style |= yaml.FlowStyle
	case yaml.ScalarNode:
		if node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			node.Style = node.Style&^(yaml.LiteralStyle|yaml.FoldedStyle) | yaml.SingleQuotedStyle
		}
		if strings.HasPrefix(node.Value, "{") || strings.HasPrefix(node.Value, `"`) {
			node.Value = spaces.ReplaceAllString(node.Value, "$1")
			node.Style |= yaml.SingleQuotedStyle
		}
	}
	for _, below := range node.Content {
		pack(below)
	}
}

// What is given to CloudFormation inline, and not by way of S3, may be so long
// (CloudFormation User Guide, "Quotas").
func TestTheTemplateKeepsWithinWhatCanBeGivenInline(t *testing.T) {
	text, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	pack(&document)
	var packed bytes.Buffer
	if err := yaml.NewEncoder(&packed).Encode(&document); err != nil {
		t.Fatal(err)
	}
	if size := packed.Len(); size > 51_200 {
		t.Errorf("without comments and needless white space the template has %d bytes, more than 51 200", size)
	} else {
		t.Logf("%d bytes", size)
	}
}
