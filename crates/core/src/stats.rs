//! Numbers folded from facts: counts, sums and a log-scaled histogram.

use std::collections::BTreeMap;
use std::time::Duration;

/// Each bucket's upper bound is this much larger than the one before: a quantile is right within 5 %.
const RATIO: f64 = 1.05;
/// The upper bound of bucket 0.
const SMALLEST: Duration = Duration::from_millis(1);

/// Durations counted in buckets; bucket n holds those up to 1 ms × 1.05ⁿ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    /// How many in each bucket; only those that have any.
    pub buckets: BTreeMap<u16, u64>,
}

impl Histogram {
    /// Counts one duration.
    pub fn add(&mut self, duration: Duration) {
        *self.buckets.entry(bucket(duration)).or_default() += 1;
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.values().sum()
    }

    /// The upper bound of the bucket in which this share (0 to 1) of the durations is reached; `None` if there are
    /// none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let wanted = ((self.count() as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        self.buckets.iter().find_map(|(bucket, count)| {
            seen += count;
            (seen >= wanted).then(|| bound(*bucket))
        })
    }
}

fn bucket(duration: Duration) -> u16 {
    let times = duration.as_secs_f64() / SMALLEST.as_secs_f64();
    // A hair below, so that a bound falls into its own bucket.
    let n = (times.ln() / RATIO.ln() - 1e-9).ceil();
    n.clamp(0.0, f64::from(u16::MAX)) as u16
}

fn bound(bucket: u16) -> Duration {
    Duration::from_secs_f64(SMALLEST.as_secs_f64() * RATIO.powi(i32::from(bucket)).min(1e15))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_quantile_is_within_five_percent(mut millis in prop::collection::vec(1u64..10_000_000, 1..200), share in 0.01f64..1.0) {
            let mut histogram = Histogram::default();
            millis.iter().for_each(|ms| histogram.add(Duration::from_millis(*ms)));
            millis.sort_unstable();
            let exact = millis[((millis.len() as f64 * share).ceil() as usize).clamp(1, millis.len()) - 1] as f64;
            let got = histogram.quantile(share).unwrap().as_secs_f64() * 1e3;
            prop_assert!(got >= exact * 0.9999 && got <= exact * 1.0501, "{got} for {exact}");
        }
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Histogram::default().quantile(0.5), None);
    }
}
