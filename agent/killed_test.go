package agent

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/record"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// asGuard has the test's program be a guard, to be killed.
const asGuard = "MOSQAGENT_TEST_AS_GUARD"

func TestGuardsDeathIsTheBrokersDeath(t *testing.T) {
	if os.Getenv(asGuard) != "" {
		beGuard(t)
		return
	}
	need.Program(t, "mosquitto", "mosquitto_pub") // of the pair in the guard to be
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestGuardsDeathIsTheBrokersDeath$")
	c.Env = append(os.Environ(), asGuard+"=1", "TMPDIR="+t.TempDir()) // it is killed, and leaves its folders
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	defer c.Wait()
	defer c.Process.Kill()
	broker := 0
	for lines := bufio.NewScanner(out); broker == 0 && lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "broker "); ok {
			broker, err = strconv.Atoi(text)
			must(t, err)
		}
	}
	if broker == 0 || syscall.Kill(broker, 0) != nil {
		t.Fatalf("there is no broker %d", broker)
	}
	time.Sleep(200 * time.Millisecond) // threads come and go meanwhile
	if !alive(broker) {
		t.Fatal("the broker has ended before its guard")
	}
	must(t, c.Process.Kill())
	for end := time.Now().Add(patient); alive(broker); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the broker outlived its guard")
		}
	}
}

// alive tells whether a process runs, and isn't one that nobody has waited for.
func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(data), ") Z ")
}

func beGuard(t *testing.T) {
	p := newPair(t)
	p.write(func(r *record.Record) { r.Active = primary })
	go func() { _ = p.sides[primary].g.Run(context.Background()) }()
	p.until(primary, "an answer", patient, func(s record.Status) bool { return s.Healthy })
	fmt.Printf("broker %d\n", p.broker(primary).Pid)
	time.Sleep(time.Minute)
}
