//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
)

// The calls that the function makes.
const (
	sendMessages = "AmazonSQS.SendMessageBatch"
	putEvents    = "AWSEvents.PutEvents"
	getSecret    = "secretsmanager.GetSecretValue"
)

var serverError = awsAnswer(http.StatusInternalServerError, map[string]string{"__type": "InternalFailure", "message": "broken by the test"})

func throttled(c call) answer {
	code := "ThrottlingException"
	if strings.HasPrefix(c.Target, "AmazonSQS.") {
		code = "RequestThrottled"
	}
	return awsAnswer(http.StatusBadRequest, map[string]string{"__type": code, "message": "broken by the test"})
}

func awsAnswer(status int, body any) answer {
	text, _ := json.Marshal(body) // a map of JSON values always marshals
	return answer{Status: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: text}
}

// refuseSome refuses the first entry and half of the others. A call without
// entries fails whole.
func refuseSome(c call, forward func([]byte) answer, chance *rand.Rand) answer {
	if c.Target == getSecret {
		return serverError
	}
	return refuse(c, forward, func(i int, _ []byte) bool { return i == 0 || chance.IntN(2) == 0 })
}

// refuse has a batch call fail for some of its entries, as it does in AWS: entry
// by entry, within a response that is a success.
func refuse(c call, forward func([]byte) answer, refused func(i int, entry []byte) bool) answer {
	var request map[string]json.RawMessage
	var entries, pass []json.RawMessage
	if json.Unmarshal(c.Body, &request) != nil || json.Unmarshal(request["Entries"], &entries) != nil {
		return answer{Status: http.StatusBadRequest}
	}
	fails := make([]bool, len(entries))
	for i, entry := range entries {
		if fails[i] = refused(i, entry); !fails[i] {
			pass = append(pass, entry)
		}
	}
	var response struct{ Entries, Successful, Failed []json.RawMessage }
	if len(pass) > 0 {
		request["Entries"], _ = json.Marshal(pass)
		body, _ := json.Marshal(request)
		a := forward(body)
		if a.Status != http.StatusOK || json.Unmarshal(a.Body, &response) != nil {
			return a
		}
	}
	if c.Target == sendMessages {
		return awsAnswer(http.StatusOK, map[string]any{"Successful": append([]json.RawMessage{}, response.Successful...), "Failed": append(response.Failed, failedMessages(entries, fails)...)})
	}
	var results []json.RawMessage // in the order of the entries
	for _, fail := range fails {
		if fail {
			results = append(results, json.RawMessage(`{"ErrorCode": "InternalFailure", "ErrorMessage": "refused by the test"}`))
		} else {
			results, response.Entries = append(results, response.Entries[0]), response.Entries[1:]
		}
	}
	return awsAnswer(http.StatusOK, map[string]any{"FailedEntryCount": len(results) - len(pass), "Entries": results})
}

// failedMessages says of each entry that fails, by its id, that it did.
func failedMessages(entries []json.RawMessage, fails []bool) (failed []json.RawMessage) {
	for i, entry := range entries {
		var named struct{ ID string }
		if fails[i] && json.Unmarshal(entry, &named) == nil {
			failed = append(failed, fmt.Appendf(nil, `{"Id": %q, "Code": "InternalError", "Message": "refused by the test", "SenderFault": false}`, named.ID))
		}
	}
	return failed
}
