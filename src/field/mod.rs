//! The types of a recipe's fields: what parses here is valid, so nothing behind it needs to look again.
mod container;
mod export;
mod git;
mod given;
mod limits;
mod name;
mod net;
mod package;
mod path;
mod range;
mod ssh;
mod text;

pub use container::{Cores, InterfaceName, IpAddress, Mtu, Tag, Vlan};
pub use export::{ClientHost, ExportOptions};
pub use git::{GitRef, GitUrl, SparseDirectory, is_object_id, is_ref_name};
pub use given::{Data, Given, Wrong};
pub use limits::{Digest, Mode, Period, Size};
pub use name::{
    AccountNumber, ContainerId, ContainerName, HostName, Principal, UnitName, UserName, is_template, template_of,
};
pub use net::{Address, Cidr, Mac};
pub use package::{NpmName, PackageName, VersionGlob};
pub use path::AbsPath;
pub use range::{NpmVersion, Range};
pub use ssh::SshKey;
pub use text::{Field, Names, Text};
