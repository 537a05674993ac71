package main

import (
	"slices"
	"testing"
)

// Every run has its turn once, row by row, and those that are spread have others
// before, between and after them.
func TestTurns(t *testing.T) {
	got := turns([]int{4, 3, 5}, []bool{false, true, false})
	want := []turn{{0, 0}, {1, 0}, {0, 1}, {0, 2}, {0, 3}, {1, 1}, {2, 0}, {2, 1}, {2, 2}, {1, 2}, {2, 3}, {2, 4}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	if got := turns([]int{2}, []bool{true}); !slices.Equal(got, []turn{{0, 0}, {0, 1}}) {
		t.Errorf("alone: %v", got)
	}
}
