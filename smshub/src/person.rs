//! Who sits at the command line, as the rows of `change` say it.

use ledger::admin::Who;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// The user this process runs as, and the machine. Neither comes from the environment, which
/// anybody may set.
pub(crate) fn who() -> Who {
    let uid = fs::metadata("/proc/self").ok().map(|process| process.uid());
    let user =
        uid.map_or_else(|| "unknown".to_owned(), |uid| name_of(uid).unwrap_or_else(|| uid.to_string()));
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    Who::cli(&user, if host.is_empty() { "unknown" } else { host })
}

/// Users that stand in no file of this machine (of a directory service, say) go by their number.
fn name_of(uid: u32) -> Option<String> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let of = |line: &str| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    };
    users.lines().find_map(of)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_person_is_a_user_of_a_machine() {
        let who = who().to_string();
        let (user, host) = who.strip_prefix("cli ").unwrap().split_once('@').unwrap();
        assert!(!user.is_empty() && user != "unknown" && !host.is_empty(), "{who}");
        assert_eq!(name_of(0).as_deref(), Some("root"));
        assert_eq!(name_of(u32::MAX - 1), None);
    }
}
