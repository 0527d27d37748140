package milvus_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"refresh-poller/internal/milvus"
)

func ExampleClient_Describe() {
	cluster := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"code": 0, "data": {"jobId": 449503829274509313, "collectionName": "ext_books", "state": "RefreshInProgress", "progress": 42}}`)
	}))
	defer cluster.Close()

	client := milvus.NewClient(cluster.URL, 10)
	job, err := client.Describe(context.Background(), "root:Milvus", milvus.Ref{Kind: milvus.ExternalCollection, ID: "449503829274509313"})
	if failure, ok := errors.AsType[*milvus.Error](err); ok {
		fmt.Println(failure.Kind, failure)
		return
	}
	fmt.Println(job.CollectionName, job.State, *job.Progress, job.Terminal())
	// Output: ext_books RefreshInProgress 42 false
}
