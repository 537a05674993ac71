package failover_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/failover"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

func TestACrashIsAnsweredInOrder(t *testing.T) {
	bubble(t, func(w *world, _ *failover.Controller) {
		w.guards[primary].crash()
		took := w.until("switched", 5*time.Second, serving(secondary))
		if took > 400*time.Millisecond {
			t.Errorf("it took %s, and there was nobody to wait for but what is on its way", took)
		}
		if !w.before("write ready", "write switching", "secondary withdraws", "write alone") {
			t.Errorf("not in order: %q", w.happened)
		}
		if w.service.Selector != secondary {
			t.Errorf("the Service selects %q", w.service.Selector)
		}
		last := w.record().Last
		if last == nil || last.To != secondary || last.Reason != "broker crashed" || last.Outage.Std() > time.Second || last.Outage.Std() < took {
			t.Errorf("the record says %+v, after %s", last, took)
		}
		synctest.Wait()
		for _, reason := range []string{"FailoverStarted", "StandbyReady", "SwitchBegun", "SwitchFinished"} {
			if !slices.ContainsFunc(w.events, func(e failover.Event) bool { return e.Reason == reason }) {
				t.Errorf("no event %q: %+v", reason, w.events)
			}
		}
	})
}

func TestAWordThatIsNotWithdrawnIsWaitedFor(t *testing.T) {
	bubble(t, func(w *world, _ *failover.Controller) {
		w.guards[secondary].do(func(*record.Status) { w.guards[secondary].deaf = true })
		w.guards[primary].cutOff()
		time.Sleep(10 * time.Second)
		if r := w.record(); r.Pending != secondary || r.Active != primary {
			t.Errorf("the standby's guard may still give its word, and yet: %+v", r)
		}
		w.guards[secondary].do(func(*record.Status) { w.guards[secondary].deaf = false })
		if took := w.until("switched", 5*time.Second, serving(secondary)); took < time.Second {
			t.Errorf("switched %s after the word was withdrawn", took)
		}
	})
}

func TestALostBrokerIsWaitedFor(t *testing.T) {
	bubble(t, func(w *world, _ *failover.Controller) {
		f := w.settings().Failover
		w.guards[primary].cutOff()
		began := w.until("begun", 5*time.Second, func(r record.Record) bool { return r.Pending == secondary })
		if least := f.Probe.Silence() - f.Probe.Interval.Std(); began < least || began > f.Probe.Silence()+300*time.Millisecond {
			t.Errorf("a switch began after %s", began)
		}
		waited := w.until("switched", 5*time.Second, serving(secondary))
		if least := f.Permit.Age.Std() + f.Permit.Margin.Std(); waited < least || waited > least+100*time.Millisecond {
			t.Errorf("the old one's permit was waited for for %s, and not for %s", waited, least)
		}
	})
}

func TestACutThatTheLeaderAloneSeesIsNoLoss(t *testing.T) {
	bubble(t, func(w *world, _ *failover.Controller) {
		w.guards[primary].hide()
		time.Sleep(30 * time.Second)
		if r := w.record(); r.Active != primary || r.Last != nil || r.Pending != "" {
			t.Errorf("switched: %+v", r)
		}
	})
}

func TestThePrimaryTakesOverAgainAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.failback = config.Failback{Mode: config.FailbackAuto, After: config.Duration(time.Minute)}
		w.run("a_192.0.2.1", func(*failover.Controller) {
			w.until("ready", 5*time.Second, isReady)
			w.guards[primary].crash()
			w.until("switched", 5*time.Second, serving(secondary))
			w.guards[primary].do(func(s *record.Status) { s.Run, s.Healthy, s.Down = "primary-2", true, "" })
			w.guards[secondary].do(func(s *record.Status) { s.Linked = true })
			w.until("ready", 5*time.Second, isReady)
			if took := w.until("back", 2*time.Minute, serving(primary)); took < time.Minute {
				t.Errorf("back after %s alone", took)
			}
		})
	})
}

func TestAStaleLeaderStandsDown(t *testing.T) {
	bubble(t, func(w *world, _ *failover.Controller) {
		usurper := w.record()
		usurper.Epoch, usurper.Leader = usurper.Epoch+1, "b_192.0.2.2"
		w.change(func(s *failover.Service) { s.Text = usurper.String() })
		w.guards[primary].crash()
		time.Sleep(time.Second)
		if got := w.record(); got.Leader != usurper.Leader || got.Epoch != usurper.Epoch {
			t.Errorf("it has written %+v over another leader's", got)
		}
		close(w.depose)
		time.Sleep(10 * time.Second)
		if got := w.record(); got.Epoch != usurper.Epoch {
			t.Errorf("it has written %+v without the Lease", got)
		}
	})
}

func TestTheHolderOfTheLeaseClaimsItsRecordBack(t *testing.T) {
	bubble(t, func(w *world, _ *failover.Controller) {
		late := w.record()
		late.Epoch, late.Leader = late.Epoch+1, "b_192.0.2.2"
		w.change(func(s *failover.Service) { s.Text = late.String() })
		took := w.until("claimed", 5*time.Second, func(r record.Record) bool { return r.Leader == "a_192.0.2.1" })
		if took < w.settings().Failover.Lease.Duration.Std() {
			t.Errorf("after %s alone", took)
		}
	})
}

func TestConflictsAreReadAgain(t *testing.T) {
	bubble(t, func(w *world, _ *failover.Controller) {
		first := true
		w.change(func(*failover.Service) {
			w.fault = func(op string) (error, bool) {
				if op == "write" && first {
					first = false
					return failover.ErrConflict, false
				}
				return nil, true
			}
		})
		w.guards[primary].crash()
		if took := w.until("switched", 5*time.Second, serving(secondary)); took > 500*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		if first {
			t.Error("there was no conflict")
		}
	})
}

func TestUnknownOutcomesAreReadAgain(t *testing.T) {
	for name, written := range map[string]bool{"written": true, "not written": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world, _ *failover.Controller) {
				var calls []string
				w.change(func(*failover.Service) {
					w.fault = func(op string) (error, bool) {
						calls = append(calls, op)
						if op == "write" && !slices.Contains(calls[:len(calls)-1], "write") {
							return context.DeadlineExceeded, written
						}
						return nil, true
					}
				})
				before := w.record().Epoch
				w.guards[primary].crash()
				w.until("switched", 5*time.Second, serving(secondary))
				if !strings.Contains(strings.Join(calls, " "), "write read") {
					t.Errorf("no read after the write that nobody knew of: %q", calls)
				}
				if got := w.record().Epoch; got != before+2 {
					t.Errorf("a switch is two writes, and the epoch went from %d to %d: %q", before, got, w.happened)
				}
			})
		})
	}
}

// What refuses writes, and not reads, is asked less and less often.
func TestRefusedWritesArePaced(t *testing.T) {
	bubble(t, func(w *world, _ *failover.Controller) {
		refuses, writes := true, 0
		w.change(func(*failover.Service) {
			w.fault = func(op string) (error, bool) {
				if op != "write" || !refuses {
					return nil, true
				}
				writes++
				return errors.New("a webhook refuses it"), false
			}
		})
		w.guards[primary].crash()
		time.Sleep(20 * time.Second)
		w.change(func(*failover.Service) {
			refuses = false
			if writes < 20 || writes > 28 {
				t.Errorf("%d writes in 20 s", writes)
			}
		})
		if took := w.until("switched", 5*time.Second, serving(secondary)); took > 1100*time.Millisecond {
			t.Errorf("it took %s once writes were let through", took)
		}
	})
}

func TestALeaderThatIsStuckIsNotLive(t *testing.T) {
	bubble(t, func(w *world, c *failover.Controller) {
		time.Sleep(time.Minute)
		if err := c.Live(); err != nil {
			t.Error(err)
		}
		w.change(func(*failover.Service) { w.hangs = 15 * time.Second })
		w.guards[primary].crash()
		time.Sleep(12 * time.Second)
		if c.Live() == nil {
			t.Error("a leader that hangs in a write is live")
		}
		w.change(func(*failover.Service) { w.hangs = 0 })
		w.until("switched", 30*time.Second, serving(secondary))
		if err := c.Live(); err != nil {
			t.Error(err)
		}
	})
}

func TestNothingIsDecidedWhileTheAPIIsDown(t *testing.T) {
	bubble(t, func(w *world, _ *failover.Controller) {
		down := true
		w.change(func(*failover.Service) {
			w.fault = func(string) (error, bool) {
				if down {
					return errors.New("connection refused"), false
				}
				return nil, true
			}
		})
		time.Sleep(10 * time.Second)
		w.guards[primary].crash()
		time.Sleep(2 * time.Second)
		if r := w.record(); r.Active != primary || r.Pending != "" {
			t.Errorf("written without an API server: %+v", r)
		}
		w.change(func(*failover.Service) { down = false })
		if took := w.until("switched", 5*time.Second, serving(secondary)); took > 500*time.Millisecond {
			t.Errorf("it took %s once the API server was back", took)
		}
	})
}

func TestRequestsAreObeyed(t *testing.T) {
	bubble(t, func(w *world, _ *failover.Controller) {
		w.change(func(s *failover.Service) { s.Request = `{"id":"one","to":"secondary"}` })
		w.until("switched", 5*time.Second, serving(secondary))
		if r := w.record(); r.Request != "one" || r.Last.Reason != "asked for" {
			t.Errorf("%+v", r)
		}
	})
}

func TestWhatIsNoRequestIsAnswered(t *testing.T) {
	bubble(t, func(w *world, _ *failover.Controller) {
		w.change(func(s *failover.Service) { s.Request = "secondary, please" })
		w.until("answered", 5*time.Second, func(r record.Record) bool { return strings.HasPrefix(r.Reason, "refused") })
		time.Sleep(3 * time.Second)
		if r := w.record(); r.Active != primary || r.Request != "secondary, please" {
			t.Errorf("%+v", r)
		}
	})
}

func TestNothingIsSwitchedWhilePaused(t *testing.T) {
	bubble(t, func(w *world, _ *failover.Controller) {
		w.change(func(s *failover.Service) { s.Paused = "true" })
		w.until("paused", 5*time.Second, func(r record.Record) bool { return r.Paused })
		w.guards[primary].crash()
		time.Sleep(10 * time.Second)
		if r := w.record(); r.Active != primary || r.Pending != "" {
			t.Errorf("switched: %+v", r)
		}
		w.change(func(s *failover.Service) { s.Paused = "" })
		w.until("switched", 5*time.Second, serving(secondary))
	})
}

func TestARecordThatIsGoneIsPutBack(t *testing.T) {
	bubble(t, func(w *world, _ *failover.Controller) {
		w.guards[primary].crash()
		w.until("switched", 5*time.Second, serving(secondary))
		before := w.record()
		w.change(func(s *failover.Service) { *s = failover.Service{} })
		w.until("restored", 5*time.Second, serving(secondary))
		if got := w.record(); got.Epoch <= before.Epoch || w.service.Selector != secondary {
			t.Errorf("%+v, which selects %q", got, w.service.Selector)
		}
	})
}

func TestPortsThatLeadElsewhereArePutRight(t *testing.T) {
	bubble(t, func(w *world, _ *failover.Controller) {
		w.guards[secondary].do(func(s *record.Status) { s.Slot = 7 })
		w.guards[primary].crash()
		w.until("switched", 5*time.Second, serving(secondary))
		if got := w.record().Slot; got != 7 || w.targets()["mqtt"] != 20007 {
			t.Errorf("slot %d, and the Service leads to %v", got, w.targets())
		}
		w.change(func(s *failover.Service) { s.Targets = map[string]int{"mqtt": 1883} })
		time.Sleep(5 * time.Second)
		if w.targets()["mqtt"] != 20007 {
			t.Errorf("the Service leads to %v", w.targets())
		}
	})
}

// A backup that is restored brings back a record that nobody obeys any more.
func TestAnOlderRecordIsReplaced(t *testing.T) {
	bubble(t, func(w *world, _ *failover.Controller) {
		older := w.service
		w.guards[primary].crash()
		w.until("switched", 5*time.Second, serving(secondary))
		before := w.record()
		w.change(func(s *failover.Service) { *s = older })
		w.until("restored", 5*time.Second, serving(secondary))
		if got := w.record(); got.Epoch <= before.Epoch || w.service.Selector != secondary {
			t.Errorf("%+v, which selects %q", got, w.service.Selector)
		}
	})
}

func TestANewLeaderTakesTheRecordOfAGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.guards[secondary].st.Epoch = 41
		w.guards[secondary].st.Record = &record.Record{Epoch: 41, Leader: "b", Active: secondary}
		w.run("a", func(*failover.Controller) {
			w.until("ready", 5*time.Second, isReady)
			if got := w.record(); got.Epoch < 42 || got.Active != secondary {
				t.Errorf("%+v", got)
			}
		})
	})
}
