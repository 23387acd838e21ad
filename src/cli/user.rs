//! Commands given as root for a state directory that belongs to another user become that user before they open
//! anything, so that the daemon never finds files it cannot write.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Gid, Uid};
use rustix::process::geteuid;
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::exit::CliError;

/// Becomes the owner of the state directory, with the groups that the service has when systemd starts it as that user;
/// `false`: there was no need. Must be called while the process has only one thread: the kernel's calls are per thread.
pub(super) fn drop_to_owner(state_dir: &Path) -> Result<bool, CliError> {
    if !geteuid().is_root() {
        return Ok(false);
    }
    let Ok(owner) = std::fs::metadata(state_dir) else { return Ok(false) };
    if owner.uid() == 0 {
        return Ok(false);
    }
    // Without these files there are no users but numbers.
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let identity = Identity::find(owner.uid(), owner.gid(), &read("/etc/passwd"), &read("/etc/group"));
    let (uid, gid) = (Uid::from_raw(owner.uid()), Gid::from_raw(identity.group));
    let groups: Vec<Gid> = identity.groups.iter().map(|group| Gid::from_raw(*group)).collect();
    set_thread_groups(&groups)
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .map(|()| true)
        .map_err(|error| {
            CliError::failed(format!(
                "cannot become the owner of {} (uid {}): {error}",
                state_dir.display(),
                owner.uid()
            ))
        })
}

/// A user's groups.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    group: u32,
    /// All of them.
    groups: Vec<u32>,
}

impl Identity {
    /// From the texts of passwd(5) and group(5). A user that is not there has only the group given.
    fn find(uid: u32, gid: u32, passwd: &str, group: &str) -> Self {
        let users = passwd.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let (user, primary) = (fields.nth(1)?.parse::<u32>().ok()?, fields.next()?.parse::<u32>().ok()?);
            (user == uid).then_some((name, primary))
        });
        let Some((name, primary)) = users.into_iter().next() else { return Self { group: gid, groups: vec![gid] } };
        let mut groups = vec![primary];
        groups.extend(group.lines().filter_map(|line| {
            let mut fields = line.split(':').skip(2);
            let (number, members) = (fields.next()?.parse::<u32>().ok()?, fields.next()?);
            (number != primary && members.split(',').any(|member| member == name)).then_some(number)
        }));
        Self { group: primary, groups }
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;

    #[test]
    fn a_user_has_the_groups_that_name_it() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\ncaretaker:x:998:997::/var/lib/caretaker:/usr/sbin/nologin\n";
        let group = "root:x:0:\ncaretaker:x:997:\nssl-cert:x:105:postgres,caretaker\nadm:x:4:syslog,caretakers\n";
        assert_eq!(Identity::find(998, 0, passwd, group), Identity { group: 997, groups: vec![997, 105] });
        assert_eq!(Identity::find(42, 43, passwd, group), Identity { group: 43, groups: vec![43] });
    }
}
