//! Whose socket a connection comes from.
//!
//! Loopback is open to every process of the machine, so knowing the placeholder is not enough: the
//! kernel is asked which process holds the other end. `/proc/net/tcp` gives the socket's inode, and
//! `/proc/PID/fd` of the child and its descendants must contain it.
//!
//! What this gives: a process that is not the child and was not started by it, below it, is refused
//! even if it read the placeholder from the child's environment. What it cannot: a child may hand
//! its own socket to another process, and a child's descendant that was orphaned is no longer known
//! as one and is refused. Where `/proc` is not mounted, or the child runs as another user or makes
//! itself unreadable (`PR_SET_DUMPABLE`), nothing can be found out and every peer is refused.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddrV4;

/// Tells whether the connection between `peer` and `local` is held by `child` or a descendant.
///
/// Reads `/proc`: a few milliseconds on a machine with many processes. It is asked once for each
/// connection.
pub(super) fn belongs_to(child: u32, peer: SocketAddrV4, local: SocketAddrV4) -> bool {
    let Some(inode) = inode_of(peer, local) else {
        return false;
    };
    let wanted = format!("socket:[{inode}]");
    family_of(child)
        .into_iter()
        .any(|process| holds(process, &wanted))
}

/// Finds the inode of the client's end of a connection.
fn inode_of(peer: SocketAddrV4, local: SocketAddrV4) -> Option<u64> {
    [
        ("/proc/net/tcp", as_v4 as fn(_) -> _),
        ("/proc/net/tcp6", as_mapped_v6),
    ]
    .into_iter()
    .find_map(|(table, written)| {
        let table = fs::read_to_string(table).ok()?;
        find(&table, &written(peer), &written(local))
    })
}

/// Finds a connection in the kernel's table. Source: proc_net_tcp in the kernel's documentation.
fn find(table: &str, from: &str, to: &str) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (local, remote) = (fields.nth(1)?, fields.next()?);
        if local != from || remote != to {
            return None;
        }
        let inode: u64 = fields.nth(6)?.parse().ok()?;
        // A connection that its client has closed has no owner any more.
        (inode != 0).then_some(inode)
    })
}

/// The kernel prints an address as its 32-bit words in the machine's byte order.
fn as_v4(address: SocketAddrV4) -> String {
    let word = u32::from_ne_bytes(address.ip().octets());
    format!("{word:08X}:{:04X}", address.port())
}

/// The same address on a socket that speaks both IPv6 and IPv4.
fn as_mapped_v6(address: SocketAddrV4) -> String {
    let mapped = u32::from_ne_bytes([0, 0, 0xff, 0xff]);
    format!("{:016X}{mapped:08X}{}", 0, as_v4(address))
}

/// The process and everything that descends from it.
fn family_of(child: u32) -> BTreeSet<u32> {
    let parents = parents();
    let mut family = BTreeSet::from([child]);
    loop {
        let known = family.len();
        let grown = parents
            .iter()
            .filter(|(_, parent)| family.contains(parent))
            .map(|(process, _)| *process)
            .collect::<Vec<_>>();
        family.extend(grown);
        if family.len() == known {
            return family;
        }
    }
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let process: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            Some((process, parent(&stat)?))
        })
        .collect()
}

/// Reads the parent out of `PID (NAME) STATE PARENT …`; the name may hold anything.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn holds(process: u32, wanted: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{process}/fd")) else {
        return false;
    };
    descriptors
        .filter_map(|descriptor| fs::read_link(descriptor.ok()?.path()).ok())
        .any(|target| target.as_os_str() == wanted)
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::process::{Command, Stdio};

    use super::*;

    fn v4(address: SocketAddr) -> SocketAddrV4 {
        match address {
            SocketAddr::V4(address) => address,
            SocketAddr::V6(_) => panic!("{address}"),
        }
    }

    #[test]
    fn a_connection_is_known_by_its_process_and_by_no_other() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let local = v4(listener.local_addr().unwrap());
        let client = TcpStream::connect(local).unwrap();
        let peer = v4(client.local_addr().unwrap());
        assert!(belongs_to(std::process::id(), peer, local));

        let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(!belongs_to(other.id(), peer, local));

        // A child of ours that has the only other end left.
        let mut heir = Command::new("cat")
            .stdin(std::os::fd::OwnedFd::from(client))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        assert!(belongs_to(heir.id(), peer, local));
        assert!(
            belongs_to(std::process::id(), peer, local),
            "a descendant's"
        );
        assert!(!belongs_to(other.id(), peer, local));
        drop(other.stdin.take());
        other.wait().unwrap();

        drop(listener.accept().unwrap());
        heir.wait().unwrap();
        assert!(
            !belongs_to(std::process::id(), peer, local),
            "nobody's any more"
        );
    }

    #[test]
    fn the_kernels_table_is_read_as_it_is_written() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                     uid  timeout inode\n   0: 0100007F:1F90 0100007F:A1B2 01 00000000:00000000 \
                     00:00000000 00000000  1000        0 77 1 0 20 4 30 10 -1\n   1: 0100007F:A1B2 \
                     0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 4242 1\n";
        let (from, to) = ("0100007F:A1B2", "0100007F:1F90");
        assert_eq!(find(table, from, to), Some(4242));
        assert_eq!(find(table, to, from), Some(77));
        assert_eq!(find(table, from, from), None);
        assert_eq!(find(&table.replace("4242", "0"), from, to), None);
        if cfg!(target_endian = "little") {
            let address = SocketAddrV4::new([127, 0, 0, 1].into(), 0x1f90);
            assert_eq!(as_v4(address), to);
            let mapped = "0000000000000000FFFF00000100007F:1F90";
            assert_eq!(as_mapped_v6(address), mapped);
        }
    }

    #[test]
    fn a_parent_is_found_whatever_the_process_calls_itself() {
        assert_eq!(parent("12 (a) b) S 7 12 12 0"), Some(7));
        assert_eq!(parent("12 (sh) R 1 1"), Some(1));
        assert_eq!(parent("nothing"), None);
    }
}
