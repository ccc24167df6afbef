//! Finds spellings in a stream at the speed of memory.
//!
//! Any `shortest` bytes of a spelling contain one of the eight-byte words that are taken from it
//! every `shortest - 7` bytes. The stream is read word by word at every offset; a bit table says of
//! most words that they belong to no spelling, and what is left is compared byte by byte.

use crate::canary::Canary;
use crate::encodings::{Form, Spelling, spellings};

/// Bytes of a word.
const WORD: usize = 8;
/// Bits of the table for each word in it: more bits, fewer vain comparisons.
const BITS_A_WORD: usize = 16;
/// 2^64 divided by the golden ratio: spreads words that differ in little (Knuth, TAOCP 6.4).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Everything that is searched for, ready for searching.
pub(crate) struct Index {
    names: Vec<String>,
    needles: Vec<Needle>,
    /// Every word taken from a needle, with the needle and the word's place in it; by word.
    words: Vec<(u64, u32, u32)>,
    /// Where in `words` those start whose hash begins with this number.
    buckets: Vec<u32>,
    bucket_shift: u32,
    filter: Vec<u64>,
    filter_shift: u32,
}

struct Needle {
    canary: usize,
    spelling: Spelling,
}

/// A stretch of the stream that spells a part of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) canary: usize,
    pub(crate) form: Form,
    pub(crate) start: usize,
    pub(crate) length: usize,
}

impl Index {
    pub(crate) fn of(canaries: &[Canary]) -> Self {
        let mut needles = Vec::new();
        for (number, canary) in canaries.iter().enumerate() {
            for spelling in spellings(canary) {
                needles.push(Needle {
                    canary: number,
                    spelling,
                });
            }
        }
        let squeezed: Vec<Needle> = needles
            .chunk_by(|one, next| one.canary == next.canary)
            .flat_map(squeezed_needles)
            .collect();
        needles.extend(squeezed);
        let mut words = Vec::new();
        for (number, Needle { spelling, .. }) in needles.iter().enumerate() {
            let step = spelling.shortest.saturating_sub(WORD - 1).max(1);
            let taken = spelling.bytes.array_windows::<WORD>().enumerate();
            for (at, word) in taken.step_by(step) {
                let place = (u32::try_from(number), u32::try_from(at));
                if let (Ok(number), Ok(at)) = place {
                    words.push((u64::from_le_bytes(*word), number, at));
                }
            }
        }
        words.sort_unstable_by_key(|(word, needle, at)| (spread(*word), *needle, *at));
        let bucket_bits = (usize::BITS - words.len().leading_zeros()).clamp(4, 30);
        let bucket_shift = 64 - bucket_bits;
        let mut buckets = vec![0; (1 << bucket_bits) + 1];
        for (word, ..) in &words {
            if let Some(count) = buckets.get_mut(place(*word, bucket_shift) + 1) {
                *count += 1;
            }
        }
        let mut before = 0;
        for bucket in &mut buckets {
            before += *bucket;
            *bucket = before;
        }
        let cells = (words.len() * BITS_A_WORD / 64)
            .next_power_of_two()
            .clamp(1 << 6, 1 << 20);
        let filter_shift = 64 - cells.trailing_zeros();
        let mut filter = vec![0; cells];
        for (word, ..) in &words {
            if let Some(cell) = filter.get_mut(place(*word, filter_shift)) {
                *cell |= mask(*word);
            }
        }
        Self {
            names: canaries.iter().map(|c| c.name.clone()).collect(),
            needles,
            words,
            buckets,
            bucket_shift,
            filter,
            filter_shift,
        }
    }

    /// The canaries' names in the order they were given.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Lists the stretches of `stream` that spell at least twelve characters of a canary, in order.
    /// Of stretches that overlap, only the longest is listed: a percent-encoded secret is also the
    /// plain letters between two of its escapes.
    pub(crate) fn search(&self, stream: &[u8]) -> Vec<Match> {
        let mut found = Vec::new();
        self.each_match(stream, |one| found.push(one));
        found.sort_by_key(|one: &Match| {
            let longest_first = std::cmp::Reverse(one.length);
            (one.canary, one.start, longest_first, one.form)
        });
        let mut kept: Vec<Match> = Vec::new();
        for one in found {
            match kept.last_mut() {
                Some(last) if last.canary == one.canary && one.start < last.start + last.length => {
                    if one.length > last.length {
                        *last = one;
                    }
                }
                _ => kept.push(one),
            }
        }
        kept
    }

    /// Reports every stretch, once for each word of it that is in the table.
    fn each_match(&self, stream: &[u8], mut found: impl FnMut(Match)) {
        for (at, window) in stream.array_windows::<WORD>().enumerate() {
            let word = u64::from_le_bytes(*window);
            let cell = self.filter.get(place(word, self.filter_shift));
            let (cell, mask) = (cell.copied().unwrap_or_default(), mask(word));
            if cell & mask == mask {
                self.compare(stream, at, word, &mut found);
            }
        }
    }

    #[inline(never)]
    fn compare(&self, stream: &[u8], at: usize, word: u64, found: &mut impl FnMut(Match)) {
        let bucket = place(word, self.bucket_shift);
        let bounds = (self.buckets.get(bucket), self.buckets.get(bucket + 1));
        let (Some(from), Some(to)) = bounds else {
            return;
        };
        let candidates = self.words.get(*from as usize..*to as usize);
        for (known, needle, offset) in candidates.unwrap_or_default() {
            if *known != word {
                continue;
            }
            let Some(Needle { canary, spelling }) = self.needles.get(*needle as usize) else {
                continue;
            };
            let (before, after) = around(stream, at, &spelling.bytes, *offset as usize);
            if before + after >= spelling.shortest {
                found(Match {
                    canary: *canary,
                    form: spelling.form,
                    start: at - before,
                    length: before + after,
                });
            }
        }
    }
}

/// How many bytes before and from there on are equal in both.
fn around(stream: &[u8], at: usize, needle: &[u8], offset: usize) -> (usize, usize) {
    let equal = |(a, b): &(&u8, &u8)| a == b;
    let (stream_before, stream_after) = stream.split_at(at.min(stream.len()));
    let (needle_before, needle_after) = needle.split_at(offset.min(needle.len()));
    let backwards = stream_before.iter().rev().zip(needle_before.iter().rev());
    let forwards = stream_after.iter().zip(needle_after);
    (
        backwards.take_while(equal).count(),
        forwards.take_while(equal).count(),
    )
}

fn spread(word: u64) -> u64 {
    word.wrapping_mul(SPREAD)
}

/// The leading bits of a word's hash.
fn place(word: u64, shift: u32) -> usize {
    usize::try_from(spread(word) >> shift).unwrap_or_default()
}

/// The three bits of a cell of the filter that stand for a word: a blocked Bloom filter, so that a
/// word costs one look into memory.
fn mask(word: u64) -> u64 {
    let hash = spread(word);
    1 << (hash >> 20 & 63) | 1 << (hash >> 26 & 63) | 1 << (hash >> 32 & 63)
}

/// Tells whether a byte may have been put between the characters of a secret.
fn is_separator(byte: u8) -> bool {
    matches!(byte, 0 | b'-' | b',' | b':' | b'"' | b'\'') || byte.is_ascii_whitespace()
}

/// The stream without separators, for canaries that were split up.
pub(crate) fn squeeze(stream: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(stream.len());
    kept.extend(stream.iter().copied().filter(|byte| !is_separator(*byte)));
    kept
}

/// How a canary's spellings look in a squeezed stream, where they look different there.
fn squeezed_needles(of_one: &[Needle]) -> Vec<Needle> {
    let mut all: Vec<Needle> = Vec::new();
    for Needle { canary, spelling } in of_one {
        let bytes = squeeze(&spelling.bytes);
        let is_known = |needle: &Needle| needle.spelling.bytes == bytes;
        if of_one.iter().any(is_known) || all.iter().any(is_known) {
            continue;
        }
        let kept = |window: &[u8]| window.iter().filter(|byte| !is_separator(**byte)).count();
        let windows = spelling.bytes.windows(spelling.shortest);
        let shortest = windows.map(kept).min().unwrap_or(WORD).max(WORD);
        all.push(Needle {
            canary: *canary,
            spelling: Spelling {
                form: spelling.form,
                bytes,
                shortest,
            },
        });
    }
    all
}
