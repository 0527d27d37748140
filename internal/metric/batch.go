package metric

import (
	"encoding/json"
	"strconv"
	"time"
)

// MaxValues is how many values one metric may have in a line (Specification:
// Embedded metric format, Target members).
const MaxValues = 100

// usualValues is for ten messages, each job of which is described twice.
const usualValues = 20

// Batch is what one invocation measured. The zero value is an empty batch. It is
// not safe for concurrent use.
type Batch struct {
	// Both are in the order of Definitions.
	counts [len(Definitions)]int
	values [len(Definitions)][]int64
}

// Count adds 1 to the metric.
func (b *Batch) Count(name Name) {
	for i := range Definitions {
		if Definitions[i].Name == name {
			b.counts[i]++
		}
	}
}

// Observe adds a value, in the metric's unit, to those of the batch. A negative
// one, which two clocks may yield, is 0. Beyond MaxValues it is dropped.
func (b *Batch) Observe(name Name, value int64) {
	for i := range Definitions {
		if Definitions[i].Name != name || len(b.values[i]) == MaxValues {
			continue
		}
		if b.values[i] == nil {
			b.values[i] = make([]int64, 0, usualValues)
		}
		b.values[i] = append(b.values[i], max(value, 0))
	}
}

// Line returns the batch as one line of Embedded Metric Format, its newline
// included:
//
//	{"_aws":{"Timestamp":1712832000000,"CloudWatchMetrics":[{"Namespace":"RefreshPoller",
//	  "Dimensions":[["Stack"]],"Metrics":[{"Name":"Polls","Unit":"Count"},…]}]},
//	  "Stack":"refresh-poller","Polls":10,…,"DescribeLatency":[12,15,…]}
//
// The stack's name is 1 to 1024 characters; at is when the batch ended.
func (b *Batch) Line(stack string, at time.Time) []byte {
	line := make([]byte, 0, 4096)
	line = append(line, `{"_aws":{"Timestamp":`...)
	line = strconv.AppendInt(line, at.UnixMilli(), 10)
	line = append(line, `,"CloudWatchMetrics":[{"Namespace":"`+Namespace+`","Dimensions":[["`+Dimension+`"]],"Metrics":[`...)
	separator := ""
	for i, d := range Definitions {
		if !b.has(i) {
			continue
		}
		line = append(line, separator...)
		line = append(line, `{"Name":"`...)
		line = append(line, d.Name...)
		line = append(line, `","Unit":"`...)
		line = append(line, d.Unit...)
		line = append(line, `"}`...)
		separator = ","
	}
	value, _ := json.Marshal(stack) // no string fails
	line = append(line, `]}]},"`+Dimension+`":`...)
	line = append(line, value...)
	for i, d := range Definitions {
		if b.has(i) {
			line = append(line, `,"`...)
			line = append(line, d.Name...)
			line = append(line, `":`...)
			line = b.appendValue(line, i)
		}
	}
	return append(line, '}', '\n')
}

// has reports whether the metric at i of Definitions is in the line.
func (b *Batch) has(i int) bool {
	return Definitions[i].Always || b.counts[i] != 0 || len(b.values[i]) != 0
}

// appendValue appends a count, or the observed values as an array.
func (b *Batch) appendValue(line []byte, i int) []byte {
	if len(b.values[i]) == 0 {
		return strconv.AppendInt(line, int64(b.counts[i]), 10)
	}
	separator := byte('[')
	for _, v := range b.values[i] {
		line = append(line, separator)
		line = strconv.AppendInt(line, v, 10)
		separator = ','
	}
	return append(line, ']')
}
