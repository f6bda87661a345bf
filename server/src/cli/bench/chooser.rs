//! Which record an operation is about: the distributions of YCSB (Cooper et al. 2010).
//!
//! Zipfian numbers are drawn as in Gray et al., "Quickly Generating Billion-Record Synthetic Databases" (SIGMOD 1994),
//! in constant time from a sum made once.

use fastrand::Rng;

/// The skew of YCSB.
const THETA: f64 = 0.99;

/// Ranks from 0 on, of which low ones are drawn more often: rank r about in proportion to 1 / (r + 1)^0.99.
#[derive(Clone, Debug)]
pub(crate) struct Zipfian {
    items: u64,
    zeta: f64,
    eta: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts of records are far below 2^53")]
impl Zipfian {
    /// Over so many items, at least one. Adds up all their shares.
    pub(crate) fn new(items: u64) -> Self {
        let items = items.max(1);
        let share = |rank: u64| (rank as f64).powf(-THETA);
        let zeta: f64 = (1..=items).map(share).sum();
        let zeta_2 = 1.0 + share(2);
        let eta = (1.0 - (2.0 / items as f64).powf(1.0 - THETA)) / (1.0 - zeta_2 / zeta);
        Self { items, zeta, eta }
    }

    pub(crate) fn rank(&self, random: &mut Rng) -> u64 {
        let uniform = random.f64();
        let scaled = uniform * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < 1.0 + 0.5_f64.powf(THETA) {
            return 1.min(self.items - 1);
        }
        let spread = (self.eta * uniform - self.eta + 1.0).powf(1.0 / (1.0 - THETA));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a floor from 0 to items"
        )]
        let rank = (self.items as f64 * spread) as u64;
        rank.min(self.items - 1)
    }
}

/// How records are drawn.
#[derive(Clone, Debug)]
pub(crate) enum Chooser {
    /// A few records are popular, and they lie anywhere among the others.
    Scrambled(Zipfian),
    /// The records that came last are popular.
    Latest(Zipfian),
    /// None is popular.
    Uniform,
}

impl Chooser {
    /// One of the records 0 to `count` - 1; `count` may have grown since the chooser was made.
    pub(crate) fn choose(&self, random: &mut Rng, count: u64) -> u64 {
        let count = count.max(1);
        match self {
            Self::Scrambled(zipfian) => mix(zipfian.rank(random)) % count,
            Self::Latest(zipfian) => count - 1 - zipfian.rank(random).min(count - 1),
            Self::Uniform => random.u64(0..count),
        }
    }
}

/// A bijection of 64 bits that leaves no order (the finalizer of SplitMix64).
pub(crate) fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The id of a record. Neighbours by number are far apart by id, as in YCSB's hashed order of insertion.
pub(crate) fn id(number: u64) -> String {
    format!("r{:016x}", mix(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEMS: u64 = 1_000;
    const DRAWS: u32 = 400_000;

    fn draw(chooser: &Chooser, count: u64) -> Vec<f64> {
        let mut random = Rng::with_seed(20_250_131);
        let mut seen = vec![0_u32; usize::try_from(count).unwrap()];
        (0..DRAWS).for_each(|_| seen[usize::try_from(chooser.choose(&mut random, count)).unwrap()] += 1);
        seen.into_iter().map(|seen| f64::from(seen) / f64::from(DRAWS)).collect()
    }

    /// The share that a rank should have.
    fn share(rank: u32) -> f64 {
        let zeta: f64 = (1..=ITEMS).map(|r| f64::from(u32::try_from(r).unwrap()).powf(-THETA)).sum();
        f64::from(rank + 1).powf(-THETA) / zeta
    }

    #[test]
    fn low_ranks_come_as_often_as_they_should() {
        let seen = draw(&Chooser::Latest(Zipfian::new(ITEMS)), ITEMS);
        let of_rank = |rank: usize| seen[usize::try_from(ITEMS).unwrap() - 1 - rank];
        // The first two ranks are drawn exactly, the rest by an approximation.
        for rank in [0, 1] {
            let (told, exact) = (of_rank(rank), share(u32::try_from(rank).unwrap()));
            assert!((told / exact - 1.0).abs() < 0.03, "rank {rank}: {told}, exactly {exact}");
        }
        let first: f64 = (0..100).map(of_rank).sum();
        let exact: f64 = (0..100).map(share).sum();
        assert!((first / exact - 1.0).abs() < 0.05, "the first hundred: {first}, exactly {exact}");
        assert!(of_rank(999) < of_rank(10) / 20.0);
    }

    #[test]
    fn scrambling_spreads_the_popular_ones() {
        let seen = draw(&Chooser::Scrambled(Zipfian::new(ITEMS)), ITEMS);
        let mut order: Vec<usize> = (0..seen.len()).collect();
        order.sort_by(|&a, &b| seen[b].total_cmp(&seen[a]));
        let top = seen[order[0]];
        assert!((top / share(0) - 1.0).abs() < 0.1, "the most popular: {top}, exactly {}", share(0));
        let upper = order[..20].iter().filter(|&&place| place >= 500).count();
        assert!((4..=16).contains(&upper), "{upper} of the twenty most popular are in the upper half");
    }

    #[test]
    fn the_latest_follow_the_growth() {
        let chooser = Chooser::Latest(Zipfian::new(ITEMS));
        let seen = draw(&chooser, 2 * ITEMS);
        let newest: f64 = seen[1_990..].iter().sum();
        assert!(newest > 0.3, "the ten newest of 2000: {newest}");
        assert!(seen[..900].iter().all(|&share| share == 0.0), "older than the distribution reaches");
    }

    #[test]
    fn without_popularity_all_are_alike() {
        let seen = draw(&Chooser::Uniform, 100);
        assert!(seen.iter().all(|&share| (share - 0.01).abs() < 0.001), "{seen:?}");
    }

    #[test]
    fn one_record_is_enough() {
        let mut random = Rng::with_seed(1);
        for chooser in
            [Chooser::Uniform, Chooser::Latest(Zipfian::new(1)), Chooser::Scrambled(Zipfian::new(1))]
        {
            assert!((0..100).all(|_| chooser.choose(&mut random, 1) == 0), "{chooser:?}");
        }
    }
}
