package watch

import (
	"testing"

	"refresh-poller/internal/milvus"
)

func BenchmarkParseAndBody(b *testing.B) {
	body := Message{Kind: milvus.ExternalCollection, JobID: exactID, Watch: State{ID: messageID, Since: sent, Polls: 3, Job: Sight{State: "RefreshInProgress", Progress: new(42)}}}.Body()
	b.ReportAllocs()
	for b.Loop() {
		m, err := Parse(body, messageID, sent, milvus.ExternalCollection)
		if err != nil || m.Body() != body {
			b.Fatal(err)
		}
	}
}
