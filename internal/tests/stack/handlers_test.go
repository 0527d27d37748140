package stack

import "strings"

// grant is actions on one resource of the stack refresh-poller-books.
type grant struct{ resource, actions string }

// each calls visit with every action.
func (g grant) each(visit func(action string)) {
	service, names, _ := strings.Cut(g.actions, ": ")
	for name := range strings.FieldsSeq(names) {
		visit(service + ":" + name)
	}
}

// handler is what CloudFormation calls, with the rights of whoever deploys, to make,
// read, change and delete a resource: handlers.*.permissions of its schema in the
// CloudFormation registry, as pulumi/pulumi-aws-native (aws-cloudformation-schema)
// and the documents of stackql-registry/stackql-provider-awscc have them. What a
// handler calls only for properties that the template has not got is left out.
type handler struct {
	always []grant
	// by has the properties that the template may have, and what comes with each.
	by map[string][]grant
}

const (
	aFunction  = "arn:aws:lambda:eu-west-1:123456789012:function:refresh-poller-books-PollerFunction-x1Y2"
	aMapping   = "arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:0a1b2c3d"
	aRole      = "arn:aws:iam::123456789012:role/refresh-poller-books-PollerRole-x1Y2"
	aPolicy    = "arn:aws:iam::123456789012:policy/refresh-poller-books-EnqueuePolicy-x1Y2"
	aQueue     = "arn:aws:sqs:eu-west-1:123456789012:refresh-poller-books-JobQueue-0a1b2c3d"
	aSharedBus = "arn:aws:events:eu-west-1:123456789012:event-bus/refresh-jobs"
	aBus       = "arn:aws:events:eu-west-1:123456789012:event-bus/refresh-poller-books"
	aRule      = "arn:aws:events:eu-west-1:123456789012:rule/refresh-jobs/refresh-poller-books-ResumeRule-x1Y2"
	anArchive  = "arn:aws:events:eu-west-1:123456789012:archive/EventArchive-x1Y2"
	aGroup     = "arn:aws:logs:eu-west-1:123456789012:log-group:refresh-poller-books-PollerLogGroup-x1Y2"
	anAlarm    = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:refresh-poller-books-DeadLettersAlarm-x1Y2"
	aBoard     = "arn:aws:cloudwatch::123456789012:dashboard/refresh-poller-books-eu-west-1"
	aRegistry  = "arn:aws:schemas:eu-west-1:123456789012:registry/refresh-poller-books"
	aSchema    = "arn:aws:schemas:eu-west-1:123456789012:schema/refresh-poller-books/refresh-poller%40ImportJobStateChange"
	aKey       = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	aPackage   = "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-x1y2/refresh-poller-books/0a1b2c3d"
	aStack     = "arn:aws:cloudformation:eu-west-1:123456789012:stack/refresh-poller-books/0a1b2c3d"
)

var handlers = map[string]handler{
	// SAM makes functions, mappings and invoke configurations of it.
	"AWS::Serverless::Function": {
		[]grant{
			{aFunction, "lambda: CreateFunction GetFunction UpdateFunctionCode UpdateFunctionConfiguration DeleteFunction GetFunctionCodeSigningConfig GetFunctionScalingConfig GetRuntimeManagementConfig GetFunctionRecursionConfig ListTags TagResource UntagResource"},
			{aRole, "iam: PassRole"}, {aPackage, "s3: GetObject GetObjectVersion"},
		},
		map[string][]grant{
			"Architectures": nil, "CodeUri": nil, "DeadLetterQueue": nil, "Description": nil, "Environment": nil, "Handler": nil,
			"LoggingConfig": nil, "MemorySize": nil, "Role": nil, "Runtime": nil, "Timeout": nil, "Tracing": nil,
			"RecursiveLoop": {{aFunction, "lambda: PutFunctionRecursionConfig"}},
			"Events": {
				{aMapping, "lambda: CreateEventSourceMapping GetEventSourceMapping UpdateEventSourceMapping DeleteEventSourceMapping ListTags TagResource UntagResource"},
			},
			"EventInvokeConfig": {{aFunction, "lambda: PutFunctionEventInvokeConfig GetFunctionEventInvokeConfig UpdateFunctionEventInvokeConfig DeleteFunctionEventInvokeConfig"}},
			"VpcConfig":         {{"*", "ec2: DescribeSecurityGroups DescribeSubnets DescribeVpcs DescribeNetworkInterfaces"}},
		},
	},
	"AWS::Lambda::Permission": {
		[]grant{{aFunction, "lambda: AddPermission GetPolicy RemovePermission"}},
		map[string][]grant{"Action": nil, "FunctionName": nil, "Principal": nil, "SourceArn": nil},
	},
	"AWS::IAM::Role": {
		[]grant{{aRole, "iam: CreateRole GetRole UpdateRole UpdateRoleDescription UpdateAssumeRolePolicy DeleteRole PutRolePolicy GetRolePolicy DeleteRolePolicy ListRolePolicies ListAttachedRolePolicies TagRole UntagRole"}},
		map[string][]grant{
			"AssumeRolePolicyDocument": nil, "Description": nil, "Path": nil, "Policies": nil,
			// Not DeleteRolePermissionsBoundary: to take a boundary away is not the deployer's.
			"PermissionsBoundary": {{aRole, "iam: PutRolePermissionsBoundary"}},
		},
	},
	"AWS::IAM::Policy": {
		[]grant{{aRole, "iam: PutRolePolicy GetRolePolicy DeleteRolePolicy"}},
		map[string][]grant{"PolicyDocument": nil, "PolicyName": nil, "Roles": nil},
	},
	"AWS::IAM::ManagedPolicy": {
		[]grant{{aPolicy, "iam: CreatePolicy GetPolicy GetPolicyVersion ListPolicyVersions ListEntitiesForPolicy CreatePolicyVersion DeletePolicyVersion DeletePolicy"}},
		map[string][]grant{"Description": nil, "PolicyDocument": nil},
	},
	"AWS::SQS::Queue": {
		[]grant{{aQueue, "sqs: CreateQueue GetQueueUrl GetQueueAttributes SetQueueAttributes DeleteQueue ListQueueTags TagQueue UntagQueue"}},
		map[string][]grant{
			"KmsMasterKeyId": nil, "KmsDataKeyReusePeriodSeconds": nil, "MessageRetentionPeriod": nil, "QueueName": nil,
			"RedriveAllowPolicy": nil, "RedrivePolicy": nil, "SqsManagedSseEnabled": nil, "VisibilityTimeout": nil,
		},
	},
	"AWS::SQS::QueuePolicy": {[]grant{{aQueue, "sqs: SetQueueAttributes"}}, map[string][]grant{"PolicyDocument": nil, "Queues": nil}},
	"AWS::Events::EventBus": {
		[]grant{{aBus, "events: CreateEventBus DescribeEventBus UpdateEventBus DeleteEventBus RemovePermission ListTagsForResource TagResource UntagResource"}},
		map[string][]grant{"Name": nil},
	},
	"AWS::Events::Rule": {
		// iam:PassRole only for a target with a role.
		[]grant{{aRule, "events: PutRule DescribeRule DeleteRule PutTargets RemoveTargets ListTargetsByRule ListTagsForResource TagResource UntagResource"}},
		map[string][]grant{"Description": nil, "EventBusName": nil, "EventPattern": nil, "State": nil, "Targets": nil},
	},
	"AWS::Events::Archive": {
		[]grant{{anArchive, "events: CreateArchive DescribeArchive UpdateArchive DeleteArchive"}, {aSharedBus, "events: CreateArchive"}},
		map[string][]grant{
			"Description": nil, "EventPattern": nil, "RetentionDays": nil, "SourceArn": nil,
			"KmsKeyIdentifier": {{aKey, "kms: DescribeKey GenerateDataKey Decrypt ReEncryptTo ReEncryptFrom"}},
		},
	},
	"AWS::EventSchemas::Registry": {
		[]grant{{aRegistry, "schemas: CreateRegistry DescribeRegistry UpdateRegistry DeleteRegistry ListTagsForResource TagResource UntagResource"}},
		map[string][]grant{"Description": nil, "RegistryName": nil},
	},
	"AWS::EventSchemas::Schema": {
		[]grant{{aSchema, "schemas: CreateSchema DescribeSchema UpdateSchema DeleteSchema DeleteSchemaVersion ListTagsForResource TagResource UntagResource"}},
		map[string][]grant{"Content": nil, "Description": nil, "RegistryName": nil, "SchemaName": nil, "Type": nil},
	},
	"AWS::Logs::LogGroup": {
		[]grant{
			{aGroup, "logs: CreateLogGroup PutRetentionPolicy DeleteRetentionPolicy DeleteLogGroup GetDataProtectionPolicy DeleteDataProtectionPolicy DescribeIndexPolicies ListTagsForResource TagResource UntagResource"},
			{"*", "logs: DescribeLogGroups DescribeResourcePolicies"},
		},
		map[string][]grant{"RetentionInDays": nil, "KmsKeyId": {{aGroup, "logs: AssociateKmsKey DisassociateKmsKey"}}},
	},
	"AWS::Logs::QueryDefinition": {
		[]grant{{"*", "logs: PutQueryDefinition DescribeQueryDefinitions DeleteQueryDefinition"}},
		map[string][]grant{"LogGroupNames": nil, "Name": nil, "QueryString": nil},
	},
	"AWS::CloudWatch::Alarm": {
		[]grant{{anAlarm, "cloudwatch: PutMetricAlarm DeleteAlarms ListTagsForResource TagResource UntagResource"}, {"*", "cloudwatch: DescribeAlarms"}},
		map[string][]grant{
			"AlarmActions": nil, "AlarmDescription": nil, "ComparisonOperator": nil, "DatapointsToAlarm": nil, "Dimensions": nil, "EvaluationPeriods": nil,
			"MetricName": nil, "Metrics": nil, "Namespace": nil, "OKActions": nil, "Period": nil, "Statistic": nil, "Threshold": nil, "TreatMissingData": nil,
		},
	},
	"AWS::CloudWatch::Dashboard": {
		[]grant{{aBoard, "cloudwatch: PutDashboard GetDashboard DeleteDashboards"}},
		map[string][]grant{"DashboardBody": nil, "DashboardName": nil},
	},
}

// ofSAM is what sam deploy and sam delete call: samcli/lib/deploy/deployer.py,
// lib/utils/managed_cloudformation_stack.py, lib/delete/cfn_utils.py and
// lib/package/s3_uploader.py of aws/aws-sam-cli. CreateChangeSet is checked against
// the transform too (aws/serverless-application-model#179).
var ofSAM = []grant{
	{aStack, "cloudformation: CreateChangeSet DescribeChangeSet ExecuteChangeSet DescribeStacks DescribeStackEvents GetTemplate GetTemplateSummary DeleteStack"},
	{"arn:aws:cloudformation:eu-west-1:aws:transform/Serverless-2016-10-31", "cloudformation: CreateChangeSet"},
	{"arn:aws:cloudformation:eu-west-1:123456789012:stack/aws-sam-cli-managed-default/4e5f6a7b", "cloudformation: DescribeStacks"},
	{aPackage, "s3: PutObject GetObject GetObjectVersion DeleteObject"},
	{"arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-x1y2", "s3: ListBucket"},
}
