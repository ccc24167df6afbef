//! Searches running processes: their memory, environment and arguments.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::findings::Findings;
use crate::scanner::{Extent, Scanner};

/// Memory is read in blocks of this many bytes.
const BLOCK: usize = 8 << 20;
/// Bytes of a block that are searched again with the next one: more than any spelling of twelve
/// characters, and room for a secret that was split up.
const OVERLAP: usize = 4096;

/// A range of a process's memory, from `/proc/PID/maps`.
struct Range {
    start: u64,
    end: u64,
    line: String,
}

impl Scanner {
    /// Searches the memory of a process: everything it may write to, and everything that is backed
    /// by no file. What cannot be read is skipped and counted.
    ///
    /// # Errors
    /// If the process is gone, or is not ours to read.
    pub fn memory(&self, pid: u32) -> io::Result<Findings> {
        let memory = File::open(proc(pid, "mem"))?;
        let mut all = Findings::default();
        for range in ranges(pid)? {
            let mut at = range.start;
            while at < range.end {
                let length = (range.end - at).min(BLOCK as u64);
                let mut block = vec![0; usize::try_from(length).unwrap_or(BLOCK)];
                let read = read_up_to(&memory, &mut block, at);
                block.truncate(read);
                let unread = length - read as u64;
                if block.iter().any(|byte| *byte != 0) {
                    let place = format!("memory of {pid} at {at:x} ({})", range.line);
                    all.merge(self.search(&place, &block, Extent::Stretch));
                } else {
                    all.read += read as u64;
                }
                all.skipped += unread;
                let last = at + length >= range.end;
                at += if last || unread > 0 {
                    length
                } else {
                    length - OVERLAP as u64
                };
            }
        }
        Ok(all)
    }

    /// Searches the environment and the arguments of a process and of all its descendants.
    ///
    /// A descendant that ended meanwhile is left out.
    ///
    /// # Errors
    /// If those of the process itself cannot be read.
    pub fn environments(&self, pid: u32) -> io::Result<Findings> {
        let mut all = Findings::default();
        for process in std::iter::once(pid).chain(descendants(pid)?) {
            for what in ["environ", "cmdline"] {
                match std::fs::read(proc(process, what)) {
                    Ok(content) => all.merge(self.bytes(&format!("{what} of {process}"), &content)),
                    Err(error) if process == pid => return Err(error),
                    Err(_) => {}
                }
            }
        }
        Ok(all)
    }
}

/// Reads as far as the range is readable. `/proc/PID/mem` ends a read at the first bad page, so the
/// rest is tried page by page.
fn read_up_to(memory: &File, block: &mut [u8], at: u64) -> usize {
    let mut done = 0;
    while let Some(rest) = block.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match memory.read_at(rest, at + done as u64) {
            Ok(0) | Err(_) => break,
            Ok(read) => done += read,
        }
    }
    done
}

/// Lists what is worth reading: a mapping of a file that nobody may write to holds the file.
fn ranges(pid: u32) -> io::Result<Vec<Range>> {
    let maps = std::fs::read_to_string(proc(pid, "maps"))?;
    let worth = maps.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (bounds, access) = (fields.next()?, fields.next()?);
        let name = fields.nth(3).unwrap_or("anonymous");
        let is_file = name.starts_with('/') && !name.starts_with("/memfd:");
        let kernel = matches!(name, "[vvar]" | "[vsyscall]" | "[vvar_vclock]");
        if access.starts_with('-') || kernel || (is_file && !access.contains('w')) {
            return None;
        }
        let (start, end) = bounds.split_once('-')?;
        Some(Range {
            start: u64::from_str_radix(start, 16).ok()?,
            end: u64::from_str_radix(end, 16).ok()?,
            line: format!("{access} {name}"),
        })
    });
    Ok(worth.collect())
}

/// Lists the processes that descend from one, in no order.
///
/// # Errors
/// If `/proc` cannot be read.
pub fn descendants(pid: u32) -> io::Result<Vec<u32>> {
    let mut parents: Vec<(u32, u32)> = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(process) = entry?.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        // The name, in parentheses, may contain anything; the parent is the second field after it.
        let Ok(stat) = std::fs::read_to_string(proc(process, "stat")) else {
            continue;
        };
        let fields = stat.rsplit(')').next().unwrap_or_default();
        if let Some(Ok(parent)) = fields.split_ascii_whitespace().nth(1).map(str::parse) {
            parents.push((process, parent));
        }
    }
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        family.extend(
            children
                .map(|(child, _)| *child)
                .filter(|child| *child != pid),
        );
        next += 1;
    }
    family.remove(0);
    Ok(family)
}

/// Counts the open file descriptors of a process.
///
/// # Errors
/// If the process is gone, or is not ours to read.
pub fn file_descriptors(pid: u32) -> io::Result<usize> {
    Ok(std::fs::read_dir(proc(pid, "fd"))?.count())
}

/// Counts the threads of a process.
///
/// # Errors
/// If the process is gone.
pub fn threads(pid: u32) -> io::Result<usize> {
    Ok(std::fs::read_dir(proc(pid, "task"))?.count())
}

fn proc(pid: u32, what: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{what}"))
}
