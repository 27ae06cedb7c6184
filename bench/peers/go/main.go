// The aggregator in Go that P5 and P6 measure beside the gateway: net/http and
// encoding/json, on both cores. Two searches at each source, all sources at once;
// their records typed, merged by instant and written. No policy, token or audit.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"sort"
	"strings"
	"syscall"
	"time"
)

type coding struct {
	System  string `json:"system,omitempty"`
	Code    string `json:"code,omitempty"`
	Display string `json:"display,omitempty"`
}

type concept struct {
	Coding []coding `json:"coding"`
	Text   string   `json:"text"`
}

type period struct {
	Start *time.Time `json:"start"`
	End   *time.Time `json:"end"`
}

type quantity struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

type record struct {
	ResourceType       string     `json:"resourceType"`
	ID                 string     `json:"id"`
	Status             string     `json:"status"`
	Code               *concept   `json:"code"`
	VaccineCode        *concept   `json:"vaccineCode"`
	Type               []concept  `json:"type"`
	EffectiveDateTime  *time.Time `json:"effectiveDateTime"`
	OccurrenceDateTime *time.Time `json:"occurrenceDateTime"`
	OnsetDateTime      *time.Time `json:"onsetDateTime"`
	Period             *period    `json:"period"`
	PerformedPeriod    *period    `json:"performedPeriod"`
	ValueQuantity      *quantity  `json:"valueQuantity"`
}

type bundle struct {
	Entry []struct {
		Resource record `json:"resource"`
	} `json:"entry"`
}

type provenance struct {
	Source   string `json:"source"`
	RecordID string `json:"record_id"`
}

type event struct {
	Kind       string     `json:"kind"`
	Title      string     `json:"title"`
	Status     string     `json:"status"`
	Start      time.Time  `json:"start"`
	End        *time.Time `json:"end"`
	Codes      []coding   `json:"codes"`
	Detail     *quantity  `json:"detail"`
	Provenance provenance `json:"provenance"`
}

type source struct {
	ods, base, name string
}

var client = &http.Client{Transport: &http.Transport{
	MaxIdleConns: 1024, MaxIdleConnsPerHost: 256, DisableCompression: true,
}}

func search(address string, form url.Values) (*bundle, error) {
	reply, err := client.PostForm(address, form)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil, err
	}
	found := new(bundle)
	return found, json.Unmarshal(body, found)
}

func (s source) events(number string) ([]event, error) {
	people, err := search(s.base+"/Patient/_search", url.Values{"identifier": {number}})
	if err != nil {
		return nil, err
	}
	person := "Patient/" + people.Entry[0].Resource.ID
	found, err := search(s.base+"/"+s.name+"/_search",
		url.Values{"patient": {person}, "_count": {"1000"}})
	if err != nil {
		return nil, err
	}
	events := make([]event, 0, len(found.Entry))
	for _, entry := range found.Entry {
		events = append(events, told(&entry.Resource, s.ods))
	}
	return events, nil
}

func told(r *record, ods string) event {
	one := event{Kind: r.ResourceType, Status: r.Status, Detail: r.ValueQuantity,
		Codes: []coding{}, Provenance: provenance{Source: ods, RecordID: r.ID}}
	what := r.Code
	if what == nil {
		what = r.VaccineCode
	}
	if what == nil && len(r.Type) > 0 {
		what = &r.Type[0]
	}
	if what != nil {
		one.Title, one.Codes = what.Text, what.Coding
	}
	span := r.Period
	if span == nil {
		span = r.PerformedPeriod
	}
	if span != nil {
		one.End = span.End
		if span.Start != nil {
			one.Start = *span.Start
		}
	}
	for _, at := range []*time.Time{r.EffectiveDateTime, r.OccurrenceDateTime, r.OnsetDateTime} {
		if at != nil {
			one.Start = *at
		}
	}
	return one
}

func journey(sources []source, number string) ([]event, error) {
	type answer struct {
		events []event
		err    error
	}
	answers := make(chan answer, len(sources))
	for _, each := range sources {
		go func(s source) {
			events, err := s.events(number)
			answers <- answer{events, err}
		}(each)
	}
	all := []event{}
	for range sources {
		one := <-answers
		if one.err != nil {
			return nil, one.err
		}
		all = append(all, one.events...)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Start.Before(all[j].Start) })
	return all, nil
}

func main() {
	var sources []source
	for n, each := range os.Args[2:] {
		base, name, _ := strings.Cut(each, "|")
		sources = append(sources, source{fmt.Sprintf("Z9B%03d", n), base, name})
	}
	http.HandleFunc("/v1/journeys", func(w http.ResponseWriter, r *http.Request) {
		var question struct {
			Number string `json:"nhs_number"`
		}
		if err := json.NewDecoder(r.Body).Decode(&question); err != nil {
			http.Error(w, "not JSON", http.StatusBadRequest)
			return
		}
		events, err := journey(sources, question.Number)
		if err != nil {
			http.Error(w, "a source failed", http.StatusBadGateway)
			return
		}
		body, _ := json.Marshal(map[string]any{"events": events})
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() { log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil)) }()
	<-stop
}
