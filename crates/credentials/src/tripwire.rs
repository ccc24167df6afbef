//! Finding a secret in a stream of bytes without holding the secret.
//!
//! A [`Trap`] keeps keyed hashes of the 16-byte windows of one secret, in each of the forms that
//! `encodings` lists. A [`Tripwire`] is the traps that are set at one moment, with bit sets in front:
//! a rolling hash over what leaves costs a few instructions a byte, and only a byte string that passes
//! a bit set is hashed for good and looked up.
//!
//! A process that serves many people sets and lifts thousands of traps. They stand in a few segments,
//! each at least four times as large as the next: one more trap rewrites the small ones.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::encodings::{Form, forms};
use crate::memory::SecretBytes;
use crate::siphash::siphash;

/// Bytes that are compared at once. Half of it would be found in ordinary text by chance.
pub(crate) const WINDOW: usize = 16;

/// Fewer different bytes than this are padding or a separator line, not part of a secret.
const DISTINCT: u32 = 6;

/// Bits of the bit set for each window, of which [`PLACES`] are set: one byte in about seventy
/// thousand passes all of them by chance.
const BITS_PER_WINDOW: usize = 64;

/// Places of the bit set that each window has.
const PLACES: u32 = 4;

/// How much larger a segment is than the next one, at least.
const RATIO: usize = 4;

/// What the hashes are keyed with, in pages of its own. Without it the hashes tell nothing.
pub(crate) struct Key(SecretBytes);

/// The parts of a key, for as long as a scan takes.
struct Numbers {
    base: u64,
    /// `base` to the power of [`WINDOW`]: what the byte that leaves the window counts.
    leaving: u64,
    mix: u64,
    /// Of the hash that decides.
    keys: [u64; 2],
}

impl Key {
    /// Draws a key.
    pub(crate) fn random() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        if getrandom::fill(bytes.as_mut_slice()).is_err() {
            // A system without randomness cannot make TLS connections either. The guard still finds
            // what it has to find; its hashes are then only as secret as an address.
            let somewhere = std::ptr::from_ref(&bytes).addr();
            let digest = Sha256::digest(somewhere.to_le_bytes());
            bytes.copy_from_slice(&digest);
        }
        Self(SecretBytes::copy_of(bytes.as_slice()))
    }

    fn numbers(&self) -> Numbers {
        let number = |at: usize| {
            let bytes = self.0.bytes().get(at..at + 8).unwrap_or_default();
            // Odd, so that multiplying loses nothing.
            u64::from_le_bytes(bytes.try_into().unwrap_or_default()) | 1
        };
        let base = number(0);
        let leaving = (0..WINDOW).fold(1_u64, |power, _| power.wrapping_mul(base));
        Numbers {
            base,
            leaving,
            mix: number(8),
            keys: self.keys(),
        }
    }

    fn keys(&self) -> [u64; 2] {
        [16, 24].map(|at| {
            let bytes = self.0.bytes().get(at..at + 8).unwrap_or_default();
            u64::from_le_bytes(bytes.try_into().unwrap_or_default())
        })
    }
}

impl Numbers {
    fn push(&self, rolling: u64, entering: u8) -> u64 {
        rolling
            .wrapping_mul(self.base)
            .wrapping_add(u64::from(entering) + 1)
    }

    fn pop(&self, rolling: u64, leaving: u8) -> u64 {
        rolling.wrapping_sub((u64::from(leaving) + 1).wrapping_mul(self.leaving))
    }

    /// The hash that decides.
    fn hash(&self, window: &[u8]) -> u64 {
        siphash(self.keys, window)
    }

    /// Where a window stands in the bit sets: products that depend on all of the rolling hash and
    /// give back little of it.
    fn probe(&self, rolling: u64) -> Probe {
        let mixed = rolling.wrapping_mul(self.mix);
        // The golden ratio's fraction, Fibonacci hashing.
        Probe((mixed ^ (mixed >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn probe_of(&self, window: &[u8]) -> Probe {
        self.probe(
            window
                .iter()
                .fold(0, |rolling, byte| self.push(rolling, *byte)),
        )
    }
}

/// Where a window stands in bit sets of any size.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Probe(u64);

impl Probe {
    /// The place of that number: double hashing (Kirsch and Mitzenmacher, 2006).
    fn place(self, number: u32) -> u32 {
        let [low @ .., _, _, _, _] = self.0.to_le_bytes();
        let [_, _, _, _, high @ ..] = self.0.to_le_bytes();
        let step = u32::from_le_bytes(low) | 1;
        u32::from_le_bytes(high).wrapping_add(number.wrapping_mul(step))
    }
}

impl Zeroize for Probe {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// The keyed hashes of one secret's windows.
pub(crate) struct Trap {
    probes: Zeroizing<Vec<Probe>>,
    /// Sorted.
    hashes: Zeroizing<Vec<u64>>,
}

impl Trap {
    /// Hashes the windows of each secret in each form. Empty if none is as long as a window.
    pub(crate) fn of(secrets: &[&[u8]], key: &Key) -> Self {
        let numbers = key.numbers();
        let mut found: Vec<(u64, Probe)> = Vec::new();
        for secret in secrets {
            for Form { bytes, stride } in forms(secret) {
                let windows = bytes.windows(WINDOW).step_by(stride);
                let windows = windows.filter(|window| is_distinctive(window));
                found.extend(windows.map(|w| (numbers.hash(w), numbers.probe_of(w))));
            }
        }
        found.sort_unstable();
        found.dedup();
        Self {
            probes: Zeroizing::new(found.iter().map(|(_, probe)| *probe).collect()),
            hashes: Zeroizing::new(found.iter().map(|(hash, _)| *hash).collect()),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    fn holds(&self, hash: u64) -> bool {
        self.hashes.binary_search(&hash).is_ok()
    }
}

fn is_distinctive(window: &[u8]) -> bool {
    let mut seen = [0_u64; 4];
    for byte in window {
        if let Some(word) = seen.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }
    seen.iter().map(|word| word.count_ones()).sum::<u32>() >= DISTINCT
}

/// The traps that are set, each under a name.
pub(crate) struct Tripwire<N> {
    /// The largest first.
    segments: Vec<Arc<Segment<N>>>,
}

/// Traps that share a bit set.
struct Segment<N> {
    traps: Vec<(N, Arc<Trap>)>,
    bits: Vec<u64>,
    /// What shifts a place down to an index of `bits`.
    shift: u32,
}

impl<N: Clone> Tripwire<N> {
    pub(crate) fn new(traps: Vec<(N, Arc<Trap>)>) -> Self {
        let segments = if traps.is_empty() {
            Vec::new()
        } else {
            vec![Arc::new(Segment::new(traps))]
        };
        Self { segments }
    }

    /// The same with one trap more.
    pub(crate) fn with(&self, name: N, trap: Arc<Trap>) -> Self {
        let mut segments = self.segments.clone();
        let mut added = vec![(name, trap)];
        while let Some(last) = segments.pop_if(|last| last.traps.len() < RATIO * added.len()) {
            added.extend(last.traps.iter().cloned());
        }
        segments.push(Arc::new(Segment::new(added)));
        Self { segments }
    }

    /// How many traps are set.
    pub(crate) fn len(&self) -> usize {
        self.segments
            .iter()
            .map(|segment| segment.traps.len())
            .sum()
    }

    /// Returns the names of the traps that `bytes` sets off.
    pub(crate) fn find(&self, key: &Key, bytes: &[u8]) -> Vec<N> {
        if bytes.len() < WINDOW || self.segments.is_empty() {
            return Vec::new();
        }
        let numbers = key.numbers();
        let found = self.segments.iter();
        found
            .flat_map(|segment| segment.find(&numbers, bytes))
            .collect()
    }
}

impl<N: Clone> Segment<N> {
    fn new(traps: Vec<(N, Arc<Trap>)>) -> Self {
        let windows: usize = traps.iter().map(|(_, trap)| trap.probes.len()).sum();
        let size = (windows * BITS_PER_WINDOW)
            .next_power_of_two()
            .clamp(1 << 12, 1 << 31);
        let mut segment = Self {
            traps: Vec::new(),
            bits: vec![0; size / 64],
            shift: 32 - size.ilog2(),
        };
        for probe in traps.iter().flat_map(|(_, trap)| trap.probes.iter()) {
            for number in 0..PLACES {
                let (word, bit) = segment.place(*probe, number);
                if let Some(word) = segment.bits.get_mut(word) {
                    *word |= bit;
                }
            }
        }
        segment.traps = traps;
        segment
    }

    fn find(&self, numbers: &Numbers, bytes: &[u8]) -> Vec<N> {
        let Some((head, tail)) = bytes.split_at_checked(WINDOW) else {
            return Vec::new();
        };
        if self.traps.iter().all(|(_, trap)| trap.is_empty()) {
            return Vec::new();
        }
        let mut sprung = vec![false; self.traps.len()];
        let mut look = |window: Option<&[u8]>| {
            let hash = numbers.hash(window.unwrap_or_default());
            for (sprung, (_, trap)) in sprung.iter_mut().zip(&self.traps) {
                *sprung |= trap.holds(hash);
            }
        };
        let mut rolling = head
            .iter()
            .fold(0, |rolling, byte| numbers.push(rolling, *byte));
        if self.may_hold(numbers.probe(rolling)) {
            look(Some(head));
        }
        for (at, (entering, leaving)) in tail.iter().zip(bytes).enumerate() {
            rolling = numbers.pop(numbers.push(rolling, *entering), *leaving);
            // One place after the other: all at once would cost more, for most bytes in vain.
            if self.may_hold(numbers.probe(rolling)) {
                look(bytes.get(at + 1..at + 1 + WINDOW));
            }
        }
        let names = self.traps.iter().zip(&sprung);
        names
            .filter(|(_, sprung)| **sprung)
            .map(|((name, _), _)| name.clone())
            .collect()
    }

    fn may_hold(&self, probe: Probe) -> bool {
        (0..PLACES).all(|number| {
            let (word, bit) = self.place(probe, number);
            self.bits.get(word).is_some_and(|word| word & bit != 0)
        })
    }

    /// A place of the bit set: word and mask.
    fn place(&self, probe: Probe, number: u32) -> (usize, u64) {
        let index = probe.place(number) >> self.shift;
        // Shifted down to less than 2^26 words: it fits any index.
        ((index >> 6) as usize, 1_u64 << (index & 63))
    }
}

#[cfg(test)]
#[path = "tripwire_tests.rs"]
mod tests;
