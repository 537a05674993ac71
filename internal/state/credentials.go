package state

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// shortest is the least length of a credential that Credentials returns, in
// bytes: a shorter string is in other files by chance.
const shortest = 8

// Credentials returns what is secret in the folder, by which to find it
// elsewhere: each line of its keys, and each password and password hash, none
// shorter than eight bytes. There are none where there is no folder.
func (d Dir) Credentials() ([][]byte, error) {
	var list [][]byte
	for _, name := range []string{certsDir, clientDir, healthDir, bridgeDir, agentDir, passwdFile, passwordFile} {
		err := filepath.WalkDir(filepath.Join(d.Path, name), func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !e.Type().IsRegular() || filepath.Ext(path) == ".crt" {
				return err
			}
			data, err := os.ReadFile(path)
			list = append(list, secretLines(data)...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// secretLines returns the lines of a key or of a password file, and of an
// option file the password.
func secretLines(data []byte) [][]byte {
	var list [][]byte
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		password, ok := bytes.CutPrefix(line, []byte("-P "))
		if !ok && bytes.HasPrefix(line, []byte("-")) {
			continue // a user's name, or where a key begins and ends
		}
		if len(password) >= shortest {
			list = append(list, password)
		}
	}
	return list
}
