//! Compressed data inside other data.

use std::io::Read;

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use flate2::{Decompress, FlushDecompress};
use ruzstd::decoding::StreamingDecoder;

/// Most bytes that one compressed stream is followed for.
const LONGEST: u64 = 64 << 20;
/// Fewer bytes than this were compressed by nobody: the start was a coincidence.
const SHORTEST: usize = 12;

/// A compressed stream that was found and undone.
pub(crate) struct Unpacked {
    /// What it was packed with.
    pub(crate) packing: &'static str,
    /// Where it starts.
    pub(crate) start: usize,
    /// What was in it, as far as it could be undone.
    pub(crate) content: Vec<u8>,
}

/// Tries every place where a stream of gzip, zlib, zstd or a zip member may start.
pub(crate) fn unpack(data: &[u8]) -> Vec<Unpacked> {
    let mut all: Vec<Unpacked> = Vec::new();
    let mut add = |start, packing, content: Option<Vec<u8>>| {
        if let Some(content) = content.filter(|content| content.len() >= SHORTEST) {
            all.push(Unpacked {
                packing,
                start,
                content,
            });
        }
    };
    let mut probe = Decompress::new(true);
    for (start, head) in data.array_windows::<4>().enumerate() {
        // The first byte decides nearly always, and this loop runs for every byte of a memory.
        if !matches!(head[0], 0x1f | 0x28 | 0x50 | 0x78) {
            continue;
        }
        let rest = data.get(start..).unwrap_or_default();
        match head {
            [0x1f, 0x8b, 8, _] => add(start, "gzip", read(GzDecoder::new(rest))),
            [0x28, 0xb5, 0x2f, 0xfd] => add(start, "zstd", zstd(rest)),
            [0x50, 0x4b, 3, 4] => add(start, "zip", zip_member(rest)),
            // RFC 1950: method 8, and both bytes together a multiple of 31; the usual four levels.
            [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] if begins(&mut probe, rest) => {
                add(start, "zlib", read(ZlibDecoder::new(rest)));
            }
            _ => {}
        }
    }
    all
}

/// Tells whether zlib data may start here. Two bytes say little: in random data they come once in
/// 16 KiB, and a decoder for each would cost more than the search.
fn begins(probe: &mut Decompress, data: &[u8]) -> bool {
    probe.reset(true);
    let mut content = [0; SHORTEST];
    let first = data.get(..512).unwrap_or(data);
    let tried = probe.decompress(first, &mut content, FlushDecompress::None);
    tried.is_ok() && probe.total_out() == SHORTEST as u64
}

/// Undoes brotli, and deflate without a header: neither has a mark, so only whole data are tried.
pub(crate) fn unpack_whole(data: &[u8]) -> Vec<Unpacked> {
    let tried = [
        ("brotli", read(brotli::Decompressor::new(data, 4096))),
        ("deflate", read(DeflateDecoder::new(data))),
    ];
    let undone = tried.into_iter().filter_map(|(packing, content)| {
        Some(Unpacked {
            packing,
            start: 0,
            content: content.filter(|content| content.len() >= SHORTEST)?,
        })
    });
    undone.collect()
}

/// Reads to the end or to the first error: a stream that is cut off gives what came before.
fn read(decoder: impl Read) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    match decoder.take(LONGEST).read_to_end(&mut content) {
        Ok(_) | Err(_) if !content.is_empty() => Some(content),
        Ok(_) | Err(_) => None,
    }
}

fn zstd(data: &[u8]) -> Option<Vec<u8>> {
    read(StreamingDecoder::new(data).ok()?)
}

/// A member's content, from its local header (APPNOTE 4.3.7): stored or deflated.
fn zip_member(data: &[u8]) -> Option<Vec<u8>> {
    let short = |at: usize| {
        let bytes = data.get(at..at + 2)?.try_into().ok()?;
        Some(usize::from(u16::from_le_bytes(bytes)))
    };
    let content = data.get(30 + short(26)? + short(28)?..)?;
    match short(8)? {
        // What is stored is found where it stands.
        8 => read(DeflateDecoder::new(content)),
        _ => None,
    }
}
