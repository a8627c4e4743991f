//! What a container must have of its own: what tells one machine from another is taken out of a copy, and SSH host keys are
//! made, before it starts for the first time. Scripts for the `sh` of its root file system, from inside.

/// Takes away machine-id (systemd makes another one at the first boot), keys, seeds, leases and the journal.
pub(super) const FORGET: &str = r"
set -e
umask 022
rm -f /etc/machine-id /var/lib/dbus/machine-id
: >/etc/machine-id
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub /var/lib/dhcp/*.leases
rm -f /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
[ ! -d /var/log/journal ] || find /var/log/journal -mindepth 1 -delete
";

/// Makes the SSH host keys of the machine called `$1`, where there is a server. There is nothing in `/dev`, and `ssh-keygen`
/// does not start without `/dev/null`.
pub(super) const KEYS: &str = r#"
set -e
[ -x /usr/sbin/sshd ] || exit 0
: >>/dev/null
for type in rsa ecdsa ed25519; do
    ssh-keygen -q -N "" -C "root@$1" -t "$type" -f "/etc/ssh/ssh_host_${type}_key"
done
rm -f /dev/null
"#;
