//! The types of a recipe's fields: what parses here is valid, so nothing behind it needs to look again.
mod limits;
mod name;
mod net;
mod package;
mod path;
mod text;

pub use limits::{Digest, Mode, Period, Size};
pub use name::{ContainerId, HostName, Principal, UnitName, UserName};
pub use net::{Address, Cidr, Mac};
pub use package::{NpmName, PackageName, VersionGlob};
pub use path::AbsPath;
pub use text::{Field, Names, Text};
