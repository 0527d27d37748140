package simcluster

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAJobRunsItsCourse(t *testing.T) {
	const s = time.Second
	job := Job{PendingFor: 10 * s, RunsFor: 100 * s}
	with := func(change func(*Job)) Job {
		changed := job
		change(&changed)
		return changed
	}
	late := with(func(j *Job) { j.VisibleAfter = 15 * s })
	failing := with(func(j *Job) { j.Fails, j.Shape = "no such bucket", LinearTo(40) })
	fallen := with(func(j *Job) { j.Fails, j.Shape = "no such bucket", Fallen(LinearTo(40), 10) })
	unsaved := with(func(j *Job) { j.Fails, j.ReasonAfter = "no such bucket", 5*s })
	hanging := with(func(j *Job) { j.Hangs, j.Shape = true, LinearTo(42) })

	tests := map[string]struct {
		job      Job
		age      time.Duration
		state    string
		progress int
		found    bool
	}{
		"pending when submitted":              {job, 0, Pending, 0, true},
		"pending until it starts":             {job, 10*s - 1, Pending, 0, true},
		"at 0 when it starts":                 {job, 10 * s, InProgress, 0, true},
		"half way":                            {job, 60 * s, InProgress, 50, true},
		"at 99 just before the end":           {job, 110*s - 1, InProgress, 99, true},
		"completed at the end":                {job, 110 * s, Completed, 100, true},
		"completed ever after":                {job, 1000 * s, Completed, 100, true},
		"done at once by default":             {Job{}, 0, Completed, 100, true},
		"not found before it is visible":      {late, 15*s - 1, "", 0, false},
		"on its way when it is first visible": {late, 15 * s, InProgress, 5, true},
		"never visible":                       {Job{NeverVisible: true}, 1000 * s, "", 0, false},
		"in progress until it fails":          {failing, 60 * s, InProgress, 20, true},
		"failed where it stood":               {failing, 110 * s, Failed, 40, true},
		"in progress until progress falls":    {fallen, 110*s - 1, InProgress, 39, true},
		"failed where it fell to":             {fallen, 110 * s, Failed, 10, true},
		"failed before it is saved so":        {unsaved, 110 * s, Failed, 99, true},
		"failed below 100":                    {Job{Fails: "no"}, 0, Failed, 99, true},
		"hanging where its shape ended":       {hanging, 110 * s, InProgress, 42, true},
		"hanging ever after":                  {hanging, 1e6 * s, InProgress, 42, true},
		"hanging below 100":                   {Job{Hangs: true}, 0, InProgress, 99, true},
		"held above -1 whatever its shape":    {Job{Hangs: true, Shape: LinearTo(-5)}, 0, InProgress, 0, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			state, progress, found := tt.job.At(tt.age)
			if state != tt.state || progress != tt.progress || found != tt.found {
				t.Errorf("got %q, %d, %t, want %q, %d, %t", state, progress, found, tt.state, tt.progress, tt.found)
			}
		})
	}
}

func TestADescriptionHasTheAPIsFields(t *testing.T) {
	const source = `{"type":"volume","path":"volume://my-volume/books"}`
	common := `"collectionName":"ext_books","externalSource":"{\"type\":\"volume\",\"path\":\"volume://my-volume/books\"}",` +
		`"externalSpec":"{\"format\":\"parquet\",\"extfs\":{\"access_key_id\":\"fake-access-key-id\",` +
		`\"access_key_value\":\"fake-access-key-that-must-not-leak\"}}"`
	const pending, running = `"state":"RefreshPending","progress":0,`, `"state":"RefreshInProgress","progress":50,`
	const failed, started = `"state":"RefreshFailed","progress":99,`, `"startTime":1712832000000,`
	tests := map[string]struct {
		age         time.Duration
		cause       string // why it is pending
		fails       string
		reasonAfter time.Duration
		want        string
	}{
		"a pending job has a start":                   {0, "", "", 0, pending + started + `"endTime":0`},
		"a pending job may have a reason":             {0, "bad bucket", "no", 0, pending + started + `"endTime":0,"reason":"bad bucket"`},
		"a running job has a start":                   {6 * time.Second, "", "", 0, running + started + `"endTime":0`},
		"a running job has no reason":                 {6 * time.Second, "bad bucket", "no", 0, running + started + `"endTime":0`},
		"a completed job has a start and an end":      {time.Minute, "bad bucket", "", time.Hour, `"state":"RefreshCompleted","progress":100,` + started + `"endTime":1712832007000`},
		"a failed job has a reason":                   {7 * time.Second, "", "no", 0, failed + started + `"endTime":1712832007000,"reason":"no"`},
		"a job that just failed has no end or reason": {8*time.Second - 1, "", "no", time.Second, failed + started + `"endTime":0`},
		"a job that is saved as failed has both":      {8 * time.Second, "", "no", time.Second, failed + started + `"endTime":1712832008000,"reason":"no"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, clk := newCluster(Options{}, Job{
				ID: "449503829274509301", CollectionName: "ext_books", ExternalSource: source,
				PendingFor: 5 * time.Second, PendingReason: tt.cause,
				RunsFor: 2 * time.Second, Fails: tt.fails, ReasonAfter: tt.reasonAfter,
			})
			clk.now = clk.now.Add(tt.age)
			got := post(c, `{"jobId":449503829274509301}`).Body.String()
			want := `{"code":0,"data":{"jobId":449503829274509301,` + common + `,` + tt.want + `}}`
			if diff := cmp.Diff(decoded(t, want), decoded(t, got)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if !strings.Contains(got, LeakedAccessKey) {
				t.Errorf("%s lacks the access key", got)
			}
		})
	}
}

// decoded returns the value of a JSON text, with numbers kept exact.
func decoded(t *testing.T, text string) (v any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

func TestAFinishedJobIsForgottenAfterTheRetention(t *testing.T) {
	const h = time.Hour
	tests := map[string]struct {
		retention time.Duration
		job       Job
		age       time.Duration
		code      int
	}{
		"kept 24 h by default":           {0, Job{RunsFor: h}, 25 * h, 0},
		"gone after 24 h by default":     {0, Job{RunsFor: h}, 25*h + 1, 1100},
		"kept for the retention set":     {h, Job{RunsFor: h}, 2 * h, 0},
		"gone after the retention set":   {h, Job{RunsFor: h}, 2*h + 1, 1100},
		"counted from the end":           {h, Job{PendingFor: 5 * h, RunsFor: 5 * h}, 11 * h, 0},
		"a failed job is forgotten too":  {h, Job{Fails: "no"}, h + 1, 1100},
		"counted from when it is saved":  {h, Job{Fails: "no", ReasonAfter: h}, 2 * h, 0},
		"a hanging job is not forgotten": {h, Job{RunsFor: h, Hangs: true}, 1000 * h, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.job.ID = "1"
			c, clk := newCluster(Options{Retention: tt.retention}, tt.job)
			clk.now = clk.now.Add(tt.age)
			if code, _ := describe(t, c, 1); code != tt.code {
				t.Errorf("code %d, want %d", code, tt.code)
			}
		})
	}
}
