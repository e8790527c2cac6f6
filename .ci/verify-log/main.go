// Checks a log's checkpoints, records and proofs with the verifier that Go's checksum database uses.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type evidence struct {
	Checkpoint  string
	Consistency struct {
		From, To int64
		Path     []string
	}
	Records []struct {
		Index  int64
		Record string
		Path   []string
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "third-party verification failed:", err)
		os.Exit(1)
	}
}

func read(name string) []byte {
	data, err := os.ReadFile(name)
	must(err)
	return data
}

// tree opens a checkpoint with the log's key and answers its size and root.
func tree(text string, verifier note.Verifier) (int64, tlog.Hash) {
	signed, err := note.Open([]byte(text), note.VerifierList(verifier))
	must(err)
	lines := strings.Split(signed.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	return size, root
}

func hashes(texts []string, decode func(string) ([]byte, error)) []tlog.Hash {
	all := []tlog.Hash{}
	for _, text := range texts {
		raw, err := decode(text)
		must(err)
		var hash tlog.Hash
		copy(hash[:], raw)
		all = append(all, hash)
	}
	return all
}

func main() {
	var signed struct {
		VerifierKey string `json:"verifier_key"`
	}
	must(json.Unmarshal(read(os.Args[1]), &signed))
	verifier, err := note.NewVerifier(signed.VerifierKey)
	must(err)

	var exported evidence
	must(json.Unmarshal(read(os.Args[2]), &exported))
	size, root := tree(exported.Checkpoint, verifier)
	for _, record := range exported.Records {
		leaf := tlog.RecordHash([]byte(record.Record))
		must(tlog.CheckRecord(hashes(record.Path, hex.DecodeString), size, root, record.Index, leaf))
		other := tlog.RecordHash([]byte(record.Record + " "))
		if tlog.CheckRecord(hashes(record.Path, hex.DecodeString), size, root, record.Index, other) == nil {
			must(fmt.Errorf("record %d: a changed record was accepted", record.Index))
		}
	}

	// The proof of one record (C2SP tlog-proof) against the same leaf.
	head, checkpoint, found := bytes.Cut(read(os.Args[3]), []byte("\n\n"))
	if !found {
		must(fmt.Errorf("no tlog-proof"))
	}
	lines := strings.Split(string(head), "\n")
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	must(err)
	size, root = tree(string(checkpoint), verifier)
	proof := hashes(lines[2:], base64.StdEncoding.DecodeString)
	for _, record := range exported.Records {
		if record.Index == index {
			must(tlog.CheckRecord(proof, size, root, index, tlog.RecordHash([]byte(record.Record))))
		}
	}

	// The log goes on from the checkpoint that was kept.
	early, earlyRoot := tree(string(read(os.Args[4])), verifier)
	to, toRoot := tree(exported.Checkpoint, verifier)
	must(tlog.CheckTree(hashes(exported.Consistency.Path, hex.DecodeString), to, toRoot, early, earlyRoot))
	fmt.Printf("golang.org/x/mod: %d records, a tlog-proof, and the way from %d to %d records\n",
		len(exported.Records), early, to)
}
