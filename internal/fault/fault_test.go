package fault

import (
	"errors"
	"fmt"
	"testing"
)

func TestOutermostHintAndCodeWin(t *testing.T) {
	base := errors.New("base")
	for name, c := range map[string]struct {
		err  error
		hint string
		code Code
	}{
		"nil":     {nil, "", OK},
		"plain":   {base, "", Failed},
		"hint":    {Hint(base, "do %s", "this"), "do this", Failed},
		"code":    {With(Refused, base), "", Refused},
		"both":    {With(Usage, Hint(base, "a")), "a", Usage},
		"wrapped": {fmt.Errorf("x: %w", Hint(With(Unreachable, base), "a")), "a", Unreachable},
		"outer":   {Hint(With(Usage, Hint(With(Refused, base), "inner")), "outer"), "outer", Usage},
		"joined":  {errors.Join(base, Hint(With(Refused, base), "a")), "a", Refused},
	} {
		if h, code := HintOf(c.err), CodeOf(c.err); h != c.hint || code != c.code {
			t.Errorf("%s: %q, %d; want %q, %d", name, h, code, c.hint, c.code)
		}
		if c.err != nil && !errors.Is(c.err, base) {
			t.Errorf("%s: the cause is lost", name)
		}
	}
	if Hint(nil, "a") != nil || With(Usage, nil) != nil {
		t.Error("nil became an error")
	}
}
