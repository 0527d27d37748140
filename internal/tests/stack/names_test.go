package stack

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nameOf is the property by which a resource of the type can be given a name of its
// own; "" if it has none. What is given none CloudFormation names by the stack, the
// logical id and random characters (User Guide, "Name type").
var nameOf = map[string]string{
	"AWS::CloudWatch::Alarm":      "AlarmName",
	"AWS::CloudWatch::Dashboard":  "DashboardName",
	"AWS::EventSchemas::Registry": "RegistryName",
	"AWS::EventSchemas::Schema":   "", // within its registry
	"AWS::Events::Archive":        "ArchiveName",
	"AWS::Events::EventBus":       "Name",
	"AWS::Events::Rule":           "Name",
	"AWS::IAM::ManagedPolicy":     "ManagedPolicyName",
	"AWS::IAM::Policy":            "", // within its roles
	"AWS::IAM::Role":              "RoleName",
	"AWS::Lambda::Permission":     "",
	"AWS::Logs::LogGroup":         "LogGroupName",
	"AWS::Logs::QueryDefinition":  "Name",
	"AWS::SQS::Queue":             "QueueName",
	"AWS::SQS::QueuePolicy":       "",
	"AWS::Serverless::Function":   "FunctionName",
}

// deployment is a stack of the template in an account; id is the first part of what
// is unique in its StackId.
type deployment struct{ name, region, id string }

// named returns the names that the template gives its resources, by what they need
// be different in: the account, or the account and region.
func (d deployment) named(t *testing.T) map[string]string {
	t.Helper()
	firstOfStackID := object{"Fn::Select": []any{0, object{"Fn::Split": []any{"-",
		object{"Fn::Select": []any{2, object{"Fn::Split": []any{"/", ref("AWS::StackId")}}}}}}}}
	names := map[string]string{}
	for logicalID, resource := range at[object](t, template(t), "Resources") {
		resourceType := at[string](t, resource.(object), "Type")
		property, known := nameOf[resourceType]
		if !known {
			t.Fatalf("%s is an %s: see what gives it a name", logicalID, resourceType)
		}
		given, ok := at[object](t, resource.(object), "Properties")[property]
		if !ok {
			continue
		}
		text := given.(object)["Fn::Sub"]
		if parts, ok := text.([]any); ok && cmp.Equal(parts[1], any(object{"Suffix": firstOfStackID})) {
			text = parts[0]
		}
		if parameter, ok := given.(object)["Ref"].(string); ok {
			text = "${" + parameter + "}"
		}
		format, _ := text.(string)
		name := strings.NewReplacer("${AWS::StackName}", d.name, "${AWS::Region}", d.region, "${Suffix}", d.id).Replace(format)
		if name == format || strings.Contains(name, "${") {
			t.Fatalf("the name of %s does not come of the stack: %v", logicalID, given)
		}
		key := d.region + " " + resourceType + " " + name
		if resourceType == "AWS::CloudWatch::Dashboard" { // of which an account has one of each name
			key = resourceType + " " + name
		}
		names[key] = logicalID
	}
	return names
}

func TestTwoStacksInOneAccountDoNotCollideInAnyName(t *testing.T) {
	names := map[string]deployment{}
	for _, d := range []deployment{
		{"refresh-poller", "eu-west-1", "0a1b2c3d"},
		{"refresh-poller", "us-east-1", "1a1b2c3d"},
		{"refresh-poller-eu-west-1", "us-east-1", "2a1b2c3d"},
		{"refresh-poller-eu-west-1", "eu-west-1", "3a1b2c3d"},
		{"refresh-poller-JobQueue", "eu-west-1", "4a1b2c3d"},
		{"refresh-poller-JobQueue-0a1b2c3d", "eu-west-1", "5a1b2c3d"},
	} {
		for name, logicalID := range d.named(t) {
			if other, taken := names[name]; taken {
				t.Errorf("%s of %s in %s is what %s in %s has: %s", logicalID, d.name, d.region, other.name, other.region, name)
			}
			names[name] = d
		}
	}
	if len(names) < 6*8 {
		t.Errorf("found but %d names", len(names))
	}
}

// A dashboard is named by stack and region. If a region's name were the end of
// another's, two stacks could have the same: refresh-poller-us in east-1, and
// refresh-poller in us-east-1.
func TestNoRegionIsTheEndOfAnother(t *testing.T) {
	regions := strings.Fields(`af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2
		ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1
		cn-north-1 cn-northwest-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 eusc-de-east-1
		il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1 us-west-1 us-west-2`)
	for _, region := range regions {
		for _, other := range regions {
			if strings.HasSuffix(other, "-"+region) {
				t.Errorf("%s ends in %s", other, region)
			}
		}
	}
}

func TestTheFileForAFurtherStackNamesParametersThatThereAre(t *testing.T) {
	parameters := at[object](t, template(t), "Parameters")
	text := document(t, "stacks/books.toml.example")
	_, overrides, _ := strings.Cut(text, "parameter_overrides = [")
	given := regexp.MustCompile(`"(\w+)=`).FindAllStringSubmatch(overrides, -1)
	for _, match := range given {
		if parameters[match[1]] == nil {
			t.Errorf("there is no parameter %s", match[1])
		}
	}
	if len(given) < 2 {
		t.Errorf("found but %d parameters", len(given))
	}
}
