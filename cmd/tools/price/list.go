package main

// price is one of AWS's list prices in us-east-1.
type price struct {
	of string
	// usd is for so many units at once, as the page has it.
	usd, units float64
	unit, page string
}

func (p price) each() float64 { return p.usd / p.units }

const million = 1e6

var (
	request    = price{"Lambda: requests", 0.20, million, "a million", "AWS Lambda Pricing"}
	gbSecond   = price{"Lambda, arm64: time", 0.0000133334, 1, "a GB-second", "AWS Lambda Pricing"}
	operation  = price{"Lambda durable functions: operations", 8, million, "a million", "AWS Lambda Pricing"}
	stateIn    = price{"Lambda durable functions: data written", 0.25, 1e9, "a GB", "AWS Lambda Pricing"}
	stateKept  = price{"Lambda durable functions: data kept", 0.15, 1e9, "a GB and month", "AWS Lambda Pricing"}
	sqsRequest = price{"SQS, standard queues: requests", 0.40, million, "a million", "Amazon SQS Pricing"}
	event      = price{"EventBridge: custom events", 1, million, "a million", "Amazon EventBridge Pricing"}
	logIn      = price{"CloudWatch: logs taken in", 0.50, 1e9, "a GB", "Amazon CloudWatch Pricing"}
	logKept    = price{"CloudWatch: logs kept", 0.03, 1e9, "a GB and month", "Amazon CloudWatch Pricing"}
	alarm      = price{"CloudWatch: alarms", 0.10, 1, "a metric and month", "Amazon CloudWatch Pricing"}
	ownMetric  = price{"CloudWatch: metrics of one's own", 0.30, 1, "a metric and month", "Amazon CloudWatch Pricing"}
	trace      = price{"X-Ray: traces recorded", 5, million, "a million", "AWS X-Ray Pricing"}
	secret     = price{"Secrets Manager: secrets", 0.40, 1, "a month", "AWS Secrets Manager Pricing"}
	secretRead = price{"Secrets Manager: calls", 0.05, 1e4, "10 000", "AWS Secrets Manager Pricing"}
	transition = price{"Step Functions, Standard: state transitions", 0.025, 1e3, "1000", "AWS Step Functions Pricing"}
	vCPU       = price{"Fargate, Linux/ARM: vCPUs", 0.03238, 1, "an hour", "AWS Fargate Pricing"}
	memory     = price{"Fargate, Linux/ARM: memory", 0.00356, 1, "a GB and hour", "AWS Fargate Pricing"}
	dpu        = price{"Glue: DPUs, by the second and at least a minute", 0.44, 1, "an hour", "AWS Glue Pricing"}
	airflow    = price{"Airflow (MWAA): mw1.small with a worker", 0.49, 1, "an hour", "at second hand"}
)

var list = []price{
	request, gbSecond, operation, stateIn, stateKept, sqsRequest, event, logIn, logKept, alarm, ownMetric, trace,
	secret, secretRead, transition, vCPU, memory, dpu, airflow,
}

const (
	hoursPerMonth = 730
	// perLine is what CloudWatch Logs counts of each line besides its bytes
	// (CloudWatch Logs API Reference, "PutLogEvents").
	perLine = 26
)

// Lambda's own lines about an execution that went well, at SystemLogLevel INFO, in
// the form and with the fields of "Lambda Telemetry API Event schema reference"
// (Lambda Developer Guide), and with the length of its examples.
const (
	startLine = `{"time":"2026-10-12T00:00:15.064Z","type":"platform.start","record":{"requestId":"` + requestID + `","version":"$LATEST",` +
		`"tracing":{"spanId":"53995c3f42cd8ad8","type":"X-Amzn-Trace-Id","value":"` + traceHeader + `"}}}`
	reportLine = `{"time":"2026-10-12T00:00:15.364Z","type":"platform.report","record":{"requestId":"` + requestID + `","status":"success",` +
		`"metrics":{"durationMs":299.92,"billedDurationMs":300,"memorySizeMB":128,"maxMemoryUsedMB":34}}}`
)
