// Posts quits in the way of an OpenIM server: net/http with idle connections kept, two workers on
// one queue, each event sent once and never again.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync"
	"time"
)

const (
	command   = "callbackAfterQuitGroupCommand"
	queueSize = 100
	idMax     = 255
	errorsMax = 10 // told in the summary
)

type quit struct {
	CallbackCommand string `json:"callbackCommand"`
	GroupID         string `json:"groupID"`
	UserID          string `json:"userID"`
}

type reply struct {
	ActionCode *int    `json:"actionCode"`
	ErrCode    *int    `json:"errCode"`
	ErrMsg     *string `json:"errMsg"`
	ErrDlt     *string `json:"errDlt"`
	NextCode   *int    `json:"nextCode"`
}

type summary struct {
	Sent        int      `json:"sent"`
	OK          int      `json:"ok"`
	Failed      int      `json:"failed"`
	Errors      []string `json:"errors"`
	Unanswered  []string `json:"unanswered"` // the operationIDs of those that failed
	Seconds     float64  `json:"seconds"`
	SlowestMs   float64  `json:"slowestMs"`
	Connections int      `json:"connections"`
}

// ---- IDs: test_openim_client.py makes the same ones ----

// What OpenIM's JSON encoder escapes, what it does not, and UTF-8 of every length.
var odd = []rune("<>&\u2028\u2029\"\\/\x01\x1f\x7f\t aZ09-" +
	"\u00e9\u0416\u6f22\uffff\U0001f600\U0010ffff")

// SplitMix64: one state, one number.
type random uint64

func (r *random) next(below int) int {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(below))
}

// One ID in four is odd, and one in 64 as long as an ID may be.
func makeID(kind byte, worker, counter int, r *random) string {
	id := fmt.Sprintf("%c%d-%d", kind, worker, counter)
	draw := r.next(64)
	if draw >= 16 {
		return id
	}
	size := idMax
	if draw != 0 {
		size = len(id) + 1 + r.next(60)
	}
	for len(id) < size {
		char := string(odd[r.next(len(odd))])
		if len(id)+len(char) > size {
			char = "."
		}
		id += char
	}
	return id
}

// ---- one request ----

type caller struct {
	url     string
	timeout time.Duration // of each request

	mutex sync.Mutex
	sum   summary
}

func (c *caller) newClient() *http.Client {
	dialer := &net.Dialer{Timeout: c.timeout, KeepAlive: 15 * time.Second}
	return &http.Client{Transport: &http.Transport{
		DialContext:         dialer.DialContext,
		MaxIdleConns:        100,
		MaxIdleConnsPerHost: 2,
	}}
}

func (c *caller) traced(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if !info.Reused {
				c.mutex.Lock()
				c.sum.Connections++
				c.mutex.Unlock()
			}
		},
	})
}

func (c *caller) post(client *http.Client, event quit, operationID string) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()

	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(event); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(c.traced(ctx), http.MethodPost, c.url, &body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("operationID", operationID)

	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return check(response.StatusCode, content)
}

func check(status int, content []byte) error {
	var got reply
	if err := json.Unmarshal(content, &got); err != nil {
		return fmt.Errorf("status %d: %w: %.200q", status, err, content)
	}
	whole := got.ActionCode != nil && got.ErrCode != nil && got.ErrMsg != nil &&
		got.ErrDlt != nil && got.NextCode != nil
	if status != http.StatusOK || !whole || *got.ActionCode != 0 || *got.ErrCode != 0 {
		return fmt.Errorf("status %d: %.200q", status, content)
	}
	return nil
}

func (c *caller) count(operationID string, err error, took time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.sum.Sent++
	if ms := float64(took.Microseconds()) / 1000; ms > c.sum.SlowestMs {
		c.sum.SlowestMs = ms
	}
	if err == nil {
		c.sum.OK++
		return
	}
	c.sum.Failed++
	c.sum.Unanswered = append(c.sum.Unanswered, operationID)
	if len(c.sum.Errors) < errorsMax {
		c.sum.Errors = append(c.sum.Errors, err.Error())
	}
}

// ---- all of them ----

func (c *caller) work(client *http.Client, worker int, seed uint64, queue <-chan struct{}) {
	r := random(seed<<8 + uint64(worker))
	counter := 0
	for range queue {
		counter++
		event := quit{
			CallbackCommand: command,
			GroupID:         makeID('g', worker, counter, &r),
			UserID:          makeID('u', worker, counter, &r),
		}
		begin := time.Now()
		operationID := fmt.Sprintf("op-%d-%d", worker, counter)
		err := c.post(client, event, operationID)
		c.count(operationID, err, time.Since(begin))
	}
}

// n events, with a pause behind each.
func fill(queue chan<- struct{}, n int, pause time.Duration) {
	for i := 0; i < n; i++ {
		queue <- struct{}{}
		time.Sleep(pause)
	}
	close(queue)
}

// A queue of one worker's own.
func share(n int, begin, pause time.Duration) chan struct{} {
	queue := make(chan struct{}, n)
	go func() {
		time.Sleep(begin)
		fill(queue, n, pause)
	}()
	return queue
}

func main() {
	base := flag.String("base", "http://127.0.0.1:8080", "WEBHOOK_ADDRESS")
	n := flag.Int("n", 10000, "events")
	workers := flag.Int("workers", 2, "requests at once")
	seed := flag.Uint64("seed", 1, "of the IDs")
	apart := flag.Bool("apart", false, "each worker is a client of its own, with its share of events")
	timeout := flag.Duration("timeout", 5*time.Second, "of each request")
	stagger := flag.Duration("stagger", 0, "between events")
	flag.Parse()

	c := &caller{url: *base + "/" + command, timeout: *timeout}
	client := c.newClient()
	c.sum.Errors = []string{}
	c.sum.Unanswered = []string{}

	queue := make(chan struct{}, queueSize)
	var done sync.WaitGroup
	begin := time.Now()
	for worker := 1; worker <= *workers; worker++ {
		if *apart {
			client = c.newClient()
			begin := time.Duration(worker-1) * *stagger
			queue = share(*n / *workers, begin, time.Duration(*workers)**stagger)
		}
		done.Add(1)
		go func(worker int, client *http.Client, queue <-chan struct{}) {
			defer done.Done()
			c.work(client, worker, *seed, queue)
		}(worker, client, queue)
	}
	if !*apart {
		fill(queue, *n, *stagger)
	}
	done.Wait()

	c.sum.Seconds = time.Since(begin).Seconds()
	if err := json.NewEncoder(os.Stdout).Encode(c.sum); err != nil {
		os.Exit(1)
	}
}
