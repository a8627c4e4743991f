//! Every field of a container that can change: in the recipe, as JSON, and by hand, as a script; what only grows has none.

/// What a recipe's next version has in a field, and what somebody does to it by hand: while it runs,
pub const EDITED: &[(&str, &str, &str)] = &[
    ("cores", "1", "pct set 301 --cores 2"),
    ("memory", r#""280MiB""#, "pct set 301 --memory 270"),
    ("swap", r#""64MiB""#, "pct set 301 --swap 16"),
    ("disk", r#""6GiB""#, ""),
    ("onboot", "true", "pct set 301 --onboot 0"),
    ("startup", r#"{"order":3,"up":10,"down":20}"#, "pct set 301 --startup order=4"),
    ("nameserver", r#"["10.77.0.1"]"#, "pct set 301 --nameserver 8.8.8.8"),
    ("searchdomain", r#""a.example""#, "pct set 301 --searchdomain c.example"),
    ("tags", r#"["role","second","third"]"#, "pct set 301 --tags role"),
    ("description", r#""new""#, "pct set 301 --description old"),
    ("protection", "true", "pct set 301 --protection 0"),
    ("hostname", r#""third""#, "pct set 301 --hostname fifth"),
    ("features", r#"{"nesting":true,"fuse":true,"keyctl":true}"#, "pct set 301 --features nesting=1"),
    ("mounts", r#"[{"source":"/srv/b","target":"/mnt/b"}]"#, "pct set 301 --mp1 /srv/b,mp=/mnt/b,ro=1"),
    (
        "network",
        r#"[{"bridge":"vmbr1","address":"10.77.0.32/24","gateway":"10.77.0.1","mtu":1400}]"#,
        "pct set 301 --net0 $(sed -n 's/^net0: //p' /etc/pve/lxc/301.conf | sed 's/mtu=1400/mtu=1300/')",
    ),
    (
        "network",
        r#"[{"bridge":"vmbr1","address":"10.77.0.32/24","gateway":"10.77.0.1","mtu":1400,"firewall":true}]"#,
        "pct set 301 --net0 $(sed -n 's/^net0: //p' /etc/pve/lxc/301.conf | sed 's/firewall=1/firewall=0/')",
    ),
    (
        "network",
        r#"[{"bridge":"vmbr1","address":"10.77.0.32/24","gateway":"10.77.0.1","mtu":1400,"mac":"02:00:00:00:00:01"}]"#,
        "pct set 301 --net0 $(sed -n 's/^net0: //p' /etc/pve/lxc/301.conf | sed 's/02:00:00:00:00:0[12]/02:00:00:00:00:03/')",
    ),
];
/// and while it does not.
pub const EDITED_AGAIN: &[(&str, &str, &str)] = &[
    ("cores", "2", "pct set 301 --cores 1"),
    ("memory", r#""290MiB""#, "pct set 301 --memory 270"),
    ("swap", r#""32MiB""#, "pct set 301 --swap 16"),
    ("disk", r#""7GiB""#, ""),
    ("onboot", "false", "pct set 301 --onboot 1"),
    ("startup", r#"{"order":5,"up":11,"down":21}"#, "pct set 301 --startup order=4"),
    ("nameserver", r#"["10.77.0.1","9.9.9.9"]"#, "pct set 301 --nameserver 8.8.8.8"),
    ("searchdomain", r#""b.example""#, "pct set 301 --searchdomain c.example"),
    ("tags", r#"["role","fourth","second","third"]"#, "pct set 301 --tags role"),
    ("description", r#""newer""#, "pct set 301 --description old"),
    ("protection", "false", "pct set 301 --protection 1"),
    ("hostname", r#""fourth""#, "pct set 301 --hostname fifth"),
    (
        "features",
        r#"{"nesting":true,"fuse":false,"keyctl":true,"mknod":true}"#,
        "pct set 301 --features nesting=1,fuse=0,keyctl=0,mknod=1",
    ),
    ("mounts", r#"[{"source":"/srv/b","target":"/mnt/b","read-only":true}]"#, "pct set 301 --mp1 /srv/b,mp=/mnt/b"),
    (
        "network",
        r#"[{"bridge":"vmbr1","address":"10.77.0.32/24","gateway":"10.77.0.1","mtu":1380}]"#,
        "pct set 301 --net0 $(sed -n 's/^net0: //p' /etc/pve/lxc/301.conf | sed 's/mtu=1380/mtu=1300/')",
    ),
    (
        "network",
        r#"[{"bridge":"vmbr1","address":"10.77.0.32/24","gateway":"10.77.0.1","mtu":1380,"firewall":false}]"#,
        "pct set 301 --net0 $(sed -n 's/^net0: //p' /etc/pve/lxc/301.conf | sed 's/firewall=0/firewall=1/')",
    ),
    (
        "network",
        r#"[{"bridge":"vmbr1","address":"10.77.0.32/24","gateway":"10.77.0.1","mtu":1380,"mac":"02:00:00:00:00:02"}]"#,
        "pct set 301 --net0 $(sed -n 's/^net0: //p' /etc/pve/lxc/301.conf | sed 's/02:00:00:00:00:0[12]/02:00:00:00:00:03/')",
    ),
    // Of one that runs, `pct` refuses it on a bridge without a physical interface, such as this one.
    (
        "network",
        r#"[{"bridge":"vmbr1","address":"10.77.0.32/24","gateway":"10.77.0.1","mtu":1380,"vlan":7}]"#,
        "pct set 301 --net0 $(sed -n 's/^net0: //p' /etc/pve/lxc/301.conf | sed 's/tag=7/tag=8/')",
    ),
];
