//! Commands given as root for a state directory that belongs to another user become that user before they open
//! anything, so that the daemon never finds files it cannot write.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Gid, Uid};
use rustix::process::geteuid;
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::exit::CliError;

/// Becomes the owner of the state directory, with the groups and the home that the service has when systemd starts it as
/// that user, and tells its name; `None`: there was no need. Must be called while the process has only one thread: the kernel's calls are per
/// thread, and the environment is nobody's to change while others read it.
pub(super) fn drop_to_owner(state_dir: &Path) -> Result<Option<String>, CliError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let Ok(owner) = std::fs::metadata(state_dir) else { return Ok(None) };
    if owner.uid() == 0 {
        return Ok(None);
    }
    // Without these files there are no users but numbers.
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let identity = Identity::find(owner.uid(), owner.gid(), &read("/etc/passwd"), &read("/etc/group"));
    let (uid, gid) = (Uid::from_raw(owner.uid()), Gid::from_raw(identity.group));
    let groups: Vec<Gid> = identity.groups.iter().map(|group| Gid::from_raw(*group)).collect();
    set_thread_groups(&groups)
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .map(|()| identity.enter_environment())
        .map(|()| Some(if identity.name.is_empty() { format!("uid {uid}") } else { identity.name.clone() }))
        .map_err(|error| {
            CliError::failed(format!(
                "cannot become the owner of {} (uid {}): {error}",
                state_dir.display(),
                owner.uid()
            ))
        })
}

/// An error of a command that root gave, with a word on who it was that the system did not let do it (EACCES).
pub(super) fn explain(error: CliError, became: &str) -> CliError {
    // The system's words, and SQLite's; a server's are "permission denied for table …" and mean a role.
    if !["(os error 13)", "permission denied: "].iter().any(|words| error.message.contains(words)) {
        return error;
    }
    let hint = format!("given as root, this command works as the user {became}, who owns the state directory");
    let hint = error.hint.as_ref().map_or(hint.clone(), |first| format!("{hint}; {first}"));
    error.hint(hint)
}

/// A user's groups, name and home.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    group: u32,
    /// All of them.
    groups: Vec<u32>,
    /// Empty for a user that is but a number.
    name: String,
    home: String,
}

impl Identity {
    /// From the texts of passwd(5) and group(5). A user that is not there has only the group given.
    fn find(uid: u32, gid: u32, passwd: &str, group: &str) -> Self {
        let mut users = passwd.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let (user, primary) = (fields.nth(1)?.parse::<u32>().ok()?, fields.next()?.parse::<u32>().ok()?);
            (user == uid).then(|| (name, primary, fields.nth(1).unwrap_or_default()))
        });
        let Some((name, primary, home)) = users.next() else {
            return Self { group: gid, groups: vec![gid], name: String::new(), home: "/".to_owned() };
        };
        let mut groups = vec![primary];
        groups.extend(group.lines().filter_map(|line| {
            let mut fields = line.split(':').skip(2);
            let (number, members) = (fields.next()?.parse::<u32>().ok()?, fields.next()?);
            (number != primary && members.split(',').any(|member| member == name)).then_some(number)
        }));
        Self { group: primary, groups, name: name.to_owned(), home: home.to_owned() }
    }

    /// What login(1) sets: `.pgpass` and `~/.aws` are this user's, not those of the one who gave the command.
    #[allow(unsafe_code, reason = "the standard library has no other way to change the environment")]
    fn enter_environment(&self) {
        for (variable, value) in [("HOME", &self.home), ("USER", &self.name), ("LOGNAME", &self.name)] {
            // SAFETY: the process has only one thread; the caller promises it.
            unsafe {
                if value.is_empty() {
                    std::env::remove_var(variable);
                } else {
                    std::env::set_var(variable, value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;

    #[test]
    fn a_user_has_its_home_and_the_groups_that_name_it() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\ncaretaker:x:998:997::/var/lib/caretaker:/usr/sbin/nologin\n";
        let group = "root:x:0:\ncaretaker:x:997:\nssl-cert:x:105:postgres,caretaker\nadm:x:4:syslog,caretakers\n";
        let user = |group, groups, name: &str, home: &str| Identity {
            group,
            groups,
            name: name.to_owned(),
            home: home.to_owned(),
        };
        let caretaker = user(997, vec![997, 105], "caretaker", "/var/lib/caretaker");
        assert_eq!(Identity::find(998, 0, passwd, group), caretaker);
        assert_eq!(Identity::find(42, 43, passwd, group), user(43, vec![43], "", "/"));
    }
}
