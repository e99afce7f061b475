// Go's net/http as OpenIM's users would write a receiver: it reads the content, and replies.
//
//	go_server PORT
package main

import (
	"io"
	"net/http"
	"os"
)

const handled = `{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}`

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, handled)
	})
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
