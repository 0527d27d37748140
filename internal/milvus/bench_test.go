package milvus

import "testing"

func BenchmarkRead(b *testing.B) {
	body := []byte(`{"code": 0, "data": {"jobId": 449503829274509313, "collectionName": "ext_books", "state": "RefreshInProgress", "progress": 42,
		"externalSource": "{\"type\":\"volume\",\"path\":\"volume://my-volume/books\"}", "externalSpec": "{}", "startTime": 1712832000000, "endTime": 0}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(200, nil, body, refresh(exactID), apiKey); err != nil {
			b.Fatal(err)
		}
	}
}
