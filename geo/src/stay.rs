//! The stay of one device at one fence: what a fix, or the time that goes by, makes of it. Pure.
//!
//! ```text
//!   (none) --inside--> Pending --enter_after--> Inside --outside--> Leaving --exit_after--> (none)
//!      any, inside while the hours are over: Closed --hours begin--> as from none
//! ```
//! A device that is out and not lying inside has no stay, so state grows with what is inside and not with fences times
//! devices. All times are the device's own: those of its fixes, and from the last fix on as much more as went by.

use dateline_engine::Millis;

use crate::event::Kind;
use crate::fence::{Fence, Zone};
use crate::schedule::Window;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stay {
    /// Inside since then.
    pub(crate) since: Millis,
    pub(crate) phase: Phase,
    /// The dwell has been told.
    pub(crate) dwelled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Inside, while the fence does not work.
    Closed,
    /// Inside, not yet long enough to have entered.
    Pending,
    Inside,
    /// Outside, not yet long enough to have left.
    Leaving {
        since: Millis,
    },
}

impl Stay {
    /// Whether the device counts as in the fence.
    pub(crate) fn is_member(&self) -> bool {
        matches!(self.phase, Phase::Inside | Phase::Leaving { .. })
    }

    /// Whether it is on its way to something else, whatever the fence asks for by now.
    pub(crate) fn is_under_way(&self) -> bool {
        self.phase != Phase::Inside
    }
}

/// Times of a fence that decide over stays, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    enter_after: u64,
    exit_after: u64,
    /// `None` where no dwell is told.
    dwell_after: Option<u64>,
}

/// What is seen of a device that counts for the fence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    pub(crate) at: Millis,
    pub(crate) inside: bool,
    /// Inside, or outside within the hysteresis.
    pub(crate) near: bool,
    /// The attributes are those that the fence is for.
    pub(crate) admits: bool,
    /// Within the hours of the fence.
    pub(crate) open: bool,
    /// The fence itself was changed: who is out is out at once.
    pub(crate) at_once: bool,
}

/// Something that is told if the fence detects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) kind: Kind,
    pub(crate) at: Millis,
    /// How long the device had been inside.
    pub(crate) dwell_ms: u64,
    /// Because the hours began or ended.
    pub(crate) by_hours: bool,
}

type Outcome = (Option<Stay>, Vec<Change>);

impl Rules {
    pub(crate) fn of(fence: &Fence, zone: &Zone) -> Self {
        Self {
            enter_after: zone.enter_after_ms(fence.detect),
            exit_after: zone.exit_dwell_ms,
            dwell_after: fence.tells(Kind::Dwell).then_some(zone.dwell_ms),
        }
    }

    /// What becomes of a stay by a fix or a change of attributes or of the fence.
    pub(crate) fn observe(self, stay: Option<Stay>, sight: Sight) -> Outcome {
        let inside = sight.admits && sight.inside;
        let Some(stay) = stay.filter(|stay| stay.phase != Phase::Closed || (sight.open && inside)) else {
            return match (inside, sight.open) {
                (true, true) => self.begin(sight.at, false),
                (true, false) => (Some(closed(sight.at)), Vec::new()),
                (false, _) => (None, Vec::new()),
            };
        };
        match stay.phase {
            Phase::Closed => self.begin(sight.at, false),
            Phase::Pending if inside && sight.open => self.ripen(stay, sight.at, sight.at),
            Phase::Pending if inside => (Some(closed(sight.at)), Vec::new()),
            Phase::Pending => (None, Vec::new()),
            Phase::Inside | Phase::Leaving { .. } if !sight.open => {
                let left = exit(stay, sight.at, true);
                (inside.then(|| closed(sight.at)), vec![left])
            }
            Phase::Inside | Phase::Leaving { .. } if sight.admits && (inside || sight.near) => {
                self.dwell(Stay { phase: Phase::Inside, ..stay }, sight.at, sight.at)
            }
            Phase::Inside | Phase::Leaving { .. } => {
                let since = if let Phase::Leaving { since } = stay.phase { since } else { sight.at };
                let is_over = !sight.admits
                    || sight.at_once
                    || sight.at.get().saturating_sub(since.get()) >= self.exit_after;
                if is_over {
                    (None, vec![exit(stay, sight.at, false)])
                } else {
                    (Some(Stay { phase: Phase::Leaving { since }, ..stay }), Vec::new())
                }
            }
        }
    }

    /// What becomes of a stay while its device says nothing until `now`. `window` is that of the hours at `now`.
    pub(crate) fn elapse(self, stay: Stay, now: Millis, window: Option<Window>) -> Outcome {
        let open = window.is_none_or(|window| window.open);
        let border = window.map_or(now, |window| window.from);
        match stay.phase {
            Phase::Closed if open => {
                let (begun, mut changes) = self.begin(border, true);
                let (stay, more) = begun.map_or((None, Vec::new()), |stay| self.elapse(stay, now, window));
                changes.extend(more);
                (stay, changes)
            }
            Phase::Closed => (Some(stay), Vec::new()),
            Phase::Pending if !open => (Some(closed(border)), Vec::new()),
            Phase::Pending => self.ripen(stay, now, after(stay.since, self.enter_after)),
            Phase::Inside if !open => (Some(closed(border)), vec![exit(stay, border.max(stay.since), true)]),
            Phase::Leaving { .. } if !open => (None, vec![exit(stay, border.max(stay.since), true)]),
            Phase::Inside => {
                let due = self.dwell_after.map_or(now, |dwell| after(stay.since, dwell));
                self.dwell(stay, now, due)
            }
            Phase::Leaving { since } => match after(since, self.exit_after) {
                due if due <= now => (None, vec![exit(stay, due, false)]),
                _ => (Some(stay), Vec::new()),
            },
        }
    }

    /// When time alone will next change a stay. `window` is that of the hours at the device's time.
    pub(crate) fn due(self, stay: &Stay, window: Option<Window>) -> Option<Millis> {
        let open = window.is_none_or(|window| window.open);
        if open == (stay.phase == Phase::Closed) {
            // The fence has got other hours since, and nothing was seen of the device that would count for it: at once.
            return Some(Millis::ZERO);
        }
        let by_hours = window.map(|window| window.until).filter(|until| until.get() != u64::MAX);
        let by_itself = match stay.phase {
            Phase::Closed => None,
            Phase::Pending => Some(after(stay.since, self.enter_after)),
            Phase::Inside if stay.dwelled => None,
            Phase::Inside => self.dwell_after.map(|dwell| after(stay.since, dwell)),
            Phase::Leaving { since } => Some(after(since, self.exit_after)),
        };
        by_hours.into_iter().chain(by_itself).min()
    }

    fn begin(self, at: Millis, by_hours: bool) -> Outcome {
        let stay = Stay { since: at, phase: Phase::Pending, dwelled: false };
        let (stay, mut changes) = self.ripen(stay, at, at);
        changes.iter_mut().for_each(|change| change.by_hours = by_hours);
        (stay, changes)
    }

    /// Enters if it is time, as told to have happened at `told`.
    fn ripen(self, stay: Stay, now: Millis, told: Millis) -> Outcome {
        if now < after(stay.since, self.enter_after) {
            return (Some(stay), Vec::new());
        }
        let dwell_ms = told.get().saturating_sub(stay.since.get());
        let entered = Change { kind: Kind::Enter, at: told, dwell_ms, by_hours: false };
        let (stay, more) = self.dwell(Stay { phase: Phase::Inside, ..stay }, now, told);
        (stay, std::iter::once(entered).chain(more).collect())
    }

    fn dwell(self, stay: Stay, now: Millis, told: Millis) -> Outcome {
        match self.dwell_after {
            Some(dwell) if !stay.dwelled && after(stay.since, dwell) <= now => {
                let dwell_ms = told.get().saturating_sub(stay.since.get());
                let change = Change { kind: Kind::Dwell, at: told, dwell_ms, by_hours: false };
                (Some(Stay { dwelled: true, ..stay }), vec![change])
            }
            _ => (Some(stay), Vec::new()),
        }
    }
}

fn closed(since: Millis) -> Stay {
    Stay { since, phase: Phase::Closed, dwelled: false }
}

fn exit(stay: Stay, at: Millis, by_hours: bool) -> Change {
    Change { kind: Kind::Exit, at, dwell_ms: at.get().saturating_sub(stay.since.get()), by_hours }
}

fn after(since: Millis, by_ms: u64) -> Millis {
    Millis::new(since.get().saturating_add(by_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(enter_after: u64, exit_after: u64, dwell_after: Option<u64>) -> Rules {
        Rules { enter_after, exit_after, dwell_after }
    }

    /// Plays (time, inside, near, open) and gives the events as (kind, time).
    fn play(rules: Rules, sights: &[(u64, bool, bool, bool)]) -> Vec<(Kind, u64)> {
        let (mut stay, mut told) = (None, Vec::new());
        for &(at, inside, near, open) in sights {
            let sight = Sight { at: Millis::new(at), inside, near, admits: true, open, at_once: false };
            let (next, changes) = rules.observe(stay, sight);
            stay = next;
            told.extend(changes.iter().map(|change| (change.kind, change.at.get())));
        }
        told
    }

    #[test]
    fn fixes_decide() {
        let (yes, no) = ((true, true, true), (false, false, true));
        let at = |at: u64, sight: (bool, bool, bool)| (at, sight.0, sight.1, sight.2);
        let check = |rules, sights: &[(u64, bool, bool, bool)], told: &[(Kind, u64)]| {
            assert_eq!(play(rules, sights), told, "{rules:?} {sights:?}");
        };
        check(rules(0, 0, None), &[at(1, yes), at(2, yes), at(3, no)], &[(Kind::Enter, 1), (Kind::Exit, 3)]);
        check(
            rules(5, 0, None),
            &[at(1, yes), at(5, yes), at(6, yes), at(7, no)],
            &[(Kind::Enter, 6), (Kind::Exit, 7)],
        );
        check(rules(5, 0, None), &[at(1, yes), at(4, no), at(5, yes), at(9, yes)], &[]);
        check(
            rules(0, 0, Some(5)),
            &[at(1, yes), at(9, yes), at(20, yes), at(21, no)],
            &[(Kind::Enter, 1), (Kind::Dwell, 9), (Kind::Exit, 21)],
        );
        check(rules(0, 0, Some(5)), &[at(1, yes), at(9, no)], &[(Kind::Enter, 1), (Kind::Exit, 9)]);
        check(
            rules(0, 5, None),
            &[at(1, yes), at(2, no), at(6, yes), at(7, no), at(11, no), at(12, no)],
            &[(Kind::Enter, 1), (Kind::Exit, 12)],
        );
        check(
            rules(0, 0, None),
            &[at(1, (false, true, true)), at(2, yes), at(3, (false, true, true)), at(4, no)],
            &[(Kind::Enter, 2), (Kind::Exit, 4)],
        );
        check(
            rules(0, 0, None),
            &[at(1, (true, true, false)), at(2, yes), at(3, (true, true, false)), at(4, no)],
            &[(Kind::Enter, 2), (Kind::Exit, 3)],
        );
    }

    #[test]
    fn time_decides_for_the_silent() {
        let stay = |phase, dwelled| Stay { since: Millis::new(100), phase, dwelled };
        let window =
            |open, from, until| Some(Window { open, from: Millis::new(from), until: Millis::new(until) });
        let check =
            |rules: Rules, stay: Stay, now: u64, hours, left: Option<Phase>, told: &[(Kind, u64, u64)]| {
                let (next, changes) = rules.elapse(stay, Millis::new(now), hours);
                assert_eq!(next.map(|stay| stay.phase), left, "{stay:?} at {now}");
                let changes: Vec<_> = changes.iter().map(|c| (c.kind, c.at.get(), c.dwell_ms)).collect();
                assert_eq!(changes, told, "{stay:?} at {now}");
            };
        let leaving = Phase::Leaving { since: Millis::new(150) };
        check(rules(10, 0, None), stay(Phase::Pending, false), 109, None, Some(Phase::Pending), &[]);
        check(
            rules(10, 0, None),
            stay(Phase::Pending, false),
            500,
            None,
            Some(Phase::Inside),
            &[(Kind::Enter, 110, 10)],
        );
        check(
            rules(0, 0, Some(10)),
            stay(Phase::Inside, false),
            500,
            None,
            Some(Phase::Inside),
            &[(Kind::Dwell, 110, 10)],
        );
        check(rules(0, 0, Some(10)), stay(Phase::Inside, true), 500, None, Some(Phase::Inside), &[]);
        check(rules(0, 10, None), stay(leaving, false), 159, None, Some(leaving), &[]);
        check(rules(0, 10, None), stay(leaving, false), 500, None, None, &[(Kind::Exit, 160, 60)]);
        check(
            rules(0, 0, None),
            stay(Phase::Inside, false),
            500,
            window(false, 300, 900),
            Some(Phase::Closed),
            &[(Kind::Exit, 300, 200)],
        );
        check(
            rules(0, 0, None),
            stay(Phase::Closed, false),
            500,
            window(true, 300, 900),
            Some(Phase::Inside),
            &[(Kind::Enter, 300, 0)],
        );
        check(
            rules(50, 0, None),
            stay(Phase::Closed, false),
            500,
            window(true, 300, 900),
            Some(Phase::Inside),
            &[(Kind::Enter, 350, 50)],
        );
        assert_eq!(rules(10, 0, None).due(&stay(Phase::Pending, false), None), Some(Millis::new(110)));
        assert_eq!(
            rules(0, 0, None).due(&stay(Phase::Inside, false), window(true, 0, 105)),
            Some(Millis::new(105))
        );
        assert_eq!(rules(0, 0, None).due(&stay(Phase::Inside, false), None), None);
    }
}
