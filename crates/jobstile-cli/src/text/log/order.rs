//! Lines in the order of their own time: what other processes did is heard a moment later.

use std::time::Duration;

use jobstile_core::time::Time;

use super::line::Line;

/// How long a line waits for one of an earlier time.
pub(crate) const HOLD: Duration = Duration::from_millis(100);
/// A line that is older than those printed by more than this: the clock has stepped, or it tells an old story.
const FAR: Duration = Duration::from_secs(10);

/// Lines that wait to be printed.
#[derive(Debug, Default)]
pub(crate) struct InOrder {
    /// With the time of their arrival.
    held: Vec<(Time, Line)>,
    /// The time of the last line that was printed.
    last: Option<Time>,
}

impl InOrder {
    /// Takes lines that arrive now.
    pub(crate) fn take(&mut self, lines: Vec<Line>, now: Time) {
        self.held.extend(lines.into_iter().map(|line| (now, line)));
    }

    /// What has waited long enough, and all that happened before it.
    pub(crate) fn due(&mut self, now: Time) -> Vec<Line> {
        // A clock that stepped back is no reason to wait.
        let waited = |arrived: Time| now < arrived || now.since(arrived) >= HOLD;
        let due = self.held.iter().filter(|(arrived, _)| waited(*arrived)).map(|(_, line)| line.time()).max();
        let Some(due) = due else { return vec![] };
        let (out, rest) = self.held.drain(..).partition(|(_, line)| line.time() <= due);
        self.held = rest;
        self.sorted(out)
    }

    /// When to ask again; `None` if nothing waits.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.held.iter().map(|(arrived, _)| arrived.plus(HOLD)).min()
    }

    /// All of it, before the end.
    pub(crate) fn rest(&mut self) -> Vec<Line> {
        let out = std::mem::take(&mut self.held);
        self.sorted(out)
    }

    fn sorted(&mut self, mut lines: Vec<(Time, Line)>) -> Vec<Line> {
        lines.sort_by_key(|(_, line)| line.time());
        let stamp = |(_, line): (Time, Line)| match self.last {
            Some(last) if line.time() < last && last.since(line.time()) < FAR => line.late(last),
            _ => {
                self.last = Some(line.time());
                line
            }
        };
        lines.into_iter().map(stamp).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Level, Stamp};
    use super::*;

    const START: i64 = 1_795_442_820_000_000; // 2026-11-23T14:07:00Z

    fn at(ms: i64) -> Time {
        Time(START + ms * 1000)
    }

    fn lines(of: &[(i64, &'static str)]) -> Vec<Line> {
        of.iter().map(|(ms, name)| Line::new(at(*ms), Level::Info, *name)).collect()
    }

    fn shown(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| line.to_text(&Stamp::Rfc3339)[17..].replace("Z | INFO |", "")).collect()
    }

    #[test]
    fn what_others_did_a_moment_ago_stands_where_it_belongs() {
        let mut order = InOrder::default();
        order.take(lines(&[(10, "started"), (10, "and again")]), at(12));
        order.take(lines(&[(5, "triggered elsewhere")]), at(40));
        assert_eq!(order.next_due(), Some(at(112)));
        assert_eq!(shown(&order.due(at(111))), [""; 0]);
        order.take(lines(&[(90, "later")]), at(111));
        assert_eq!(shown(&order.due(at(112))), ["00.005 triggered elsewhere", "00.010 started", "00.010 and again"]);
        assert_eq!(shown(&order.rest()), ["00.090 later"]);
        assert_eq!(order.next_due(), None);
    }

    #[test]
    fn one_that_comes_too_late_keeps_the_order_and_says_its_own_time() {
        let mut order = InOrder::default();
        order.take(lines(&[(1_000, "started")]), at(1_000));
        assert_eq!(shown(&order.due(at(1_100))), ["01.000 started"]);
        order.take(lines(&[(400, "triggered elsewhere")]), at(1_200));
        assert_eq!(shown(&order.due(at(1_300))), ["01.000 triggered elsewhere | happened_at=2026-11-23T14:07:00.400Z"]);
    }

    #[test]
    fn a_clock_that_stepped_back_holds_nothing_up() {
        let mut order = InOrder::default();
        order.take(lines(&[(50_000, "before")]), at(50_000));
        order.take(lines(&[(0, "after")]), at(0));
        assert_eq!(shown(&order.due(at(0))), ["00.000 after", "50.000 before"]);
        order.take(lines(&[(1_000, "on it goes")]), at(1_000));
        assert_eq!(shown(&order.due(at(1_100))), ["01.000 on it goes"]);
    }
}
