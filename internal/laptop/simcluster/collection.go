package simcluster

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
)

const (
	startPath = "/v2/vectordb/jobs/external_collection/refresh"
	listPath  = "/v2/vectordb/jobs/external_collection/list"
)

// FirstStarted is the id of the first refresh that a cluster starts; no float64 holds
// it.
const FirstStarted = "449503829279000001"

const firstStarted = 449503829279000001

// Collection is one whose refreshes can be started and listed.
type Collection struct {
	Name string
	// Database is that of the collection. "" is default.
	Database string
	// Internal makes it one that is not external.
	Internal bool
	// Course is the course of each of its refreshes that are started, by their number
	// from 1; the cluster gives them their ids and names. nil = they end at once.
	Course func(n int) Job
	// StartFaults and ListFaults are answers given in the stead of others, in this
	// order. LostStarts are given though the start takes effect.
	StartFaults, ListFaults, LostStarts []Answer

	started int
}

type collectionKey struct{ database, name string }

func keyOf(database, name string) collectionKey {
	return collectionKey{cmp.Or(database, "default"), name}
}

// AddCollection adds a collection, and with it its database.
func (c *Cluster) AddCollection(added Collection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.collections[keyOf(added.Database, added.Name)] = &added
}

// Refreshes returns how many refreshes of a collection have really begun, whether
// they were started or added.
func (c *Cluster) Refreshes(database, name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.refreshes(keyOf(database, name)))
}

// refreshes returns those of a collection that are or will be visible, newest first.
func (c *Cluster) refreshes(key collectionKey) (all []*submission) {
	for _, job := range c.jobs {
		if job.Ref().Kind == ExternalCollection && keyOf(job.Database, job.CollectionName) == key && !job.NeverVisible {
			all = append(all, job)
		}
	}
	slices.SortFunc(all, func(a, b *submission) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(b.ID, a.ID)) })
	return all
}

// date gives an answer the cluster's time, as net/http does its own.
func (c *Cluster) date(header http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opts.NoDate {
		header["Date"] = nil // or net/http sets it
		return
	}
	header.Set("Date", c.opts.Now().UTC().Format(http.TimeFormat))
}

// serveCollection answers a start or a list.
func (c *Cluster) serveCollection(w http.ResponseWriter, r *http.Request) {
	var request struct{ CollectionName, DBName, ExternalSource, ExternalSpec string }
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	if err == nil {
		err = json.Unmarshal(text, &request)
	}
	a := c.ofCollection(r, keyOf(request.DBName, request.CollectionName), err)
	if c.opts.HonestStatuses {
		a = a.honest()
	}
	a.ServeHTTP(w, r)
}

func (c *Cluster) ofCollection(r *http.Request, key collectionKey, unreadable error) Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if refused := c.admit(c.opts.Now(), r.Header.Get("Authorization")); refused != nil {
		return *refused
	}
	starts := r.URL.Path == startPath
	if starts {
		c.counts.Starts++
	} else {
		c.counts.Lists++
	}
	found := c.collections[key]
	switch {
	case unreadable != nil:
		return *badJSON(unreadable)
	case key.name == "":
		return Failure(codeMissing, msgMissing+", error: collectionName is required")
	case found == nil && !c.hasDatabase(key.database):
		return Failure(codeNoDatabase, "database not found[database="+key.database+"]")
	case found == nil:
		return Failure(codeNoCollection, "collection not found[database="+key.database+"][collection="+key.name+"]")
	case starts && found.Internal:
		return Failure(codeInvalid, msgInvalid+": collection "+key.name+" is not an external collection")
	case starts:
		return c.start(found, key)
	}
	return c.list(found, key)
}

func (c *Cluster) hasDatabase(name string) bool {
	for key := range c.collections {
		if key.database == name {
			return true
		}
	}
	return name == "default"
}

// start hands out an id, and adds the job that it is of. While another runs it has
// none: it is refused, or by an older server, or where the other is not visible yet,
// never appears.
func (c *Cluster) start(of *Collection, key collectionKey) Answer {
	if len(of.StartFaults) > 0 {
		fault := of.StartFaults[0]
		of.StartFaults = of.StartFaults[1:]
		return fault
	}
	now, job := c.opts.Now(), Job{}
	for _, other := range c.refreshes(key) {
		if other.ended(now) {
			continue
		}
		job.NeverVisible = true
		if now.Sub(other.at) >= other.VisibleAfter && !c.opts.Older {
			return Failure(codeTaskDuplicate, fmt.Sprintf("task duplicates[task=refresh_external_collection]: refresh job %s is already in progress for collection %s, please wait for it to complete or cancel it first", other.ID, key.name))
		}
	}
	if !job.NeverVisible {
		of.started++
		if of.Course != nil {
			job = of.Course(of.started)
		}
	}
	job.ID = strconv.Itoa(firstStarted + c.started)
	job.CollectionName, job.Database = of.Name, of.Database
	c.started++
	c.jobs[job.Ref()] = &submission{Job: job, at: now}
	if len(of.LostStarts) > 0 {
		lost := of.LostStarts[0]
		of.LostStarts = of.LostStarts[1:]
		return lost
	}
	return success(map[string]any{"jobId": bare(job.ID)})
}

func (c *Cluster) list(of *Collection, key collectionKey) Answer {
	if len(of.ListFaults) > 0 {
		fault := of.ListFaults[0]
		of.ListFaults = of.ListFaults[1:]
		return fault
	}
	row, records := kinds[ExternalCollection], []any{}
	for _, job := range c.refreshes(key) {
		v, found := job.view(row, c.opts.Now(), cmp.Or(c.opts.Retention, row.retention))
		if found && job.Inconsistent {
			return Failure(codeUnexpected, "refresh job "+job.ID+": its tasks are inconsistent")
		}
		if found {
			records = append(records, row.describe(job, v))
		}
	}
	return success(map[string]any{"records": records})
}
