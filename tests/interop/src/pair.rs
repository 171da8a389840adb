//! A client of one make and a server of another, as most tests want them.

use crate::client::Call;
use crate::server::{Make, Server, Setup};

/// Who talks to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Who made the client.
    pub client: Make,
    /// Who made the server.
    pub server: Make,
}

impl Pair {
    /// Another's client and Nacre's server.
    pub const fn client(client: Make) -> Self {
        Self { client, server: Make::Nacre }
    }

    /// Nacre's client and another's server.
    pub const fn server(server: Make) -> Self {
        Self { client: Make::Nacre, server }
    }

    /// Starts the server with nothing special about it.
    pub fn start(self) -> Server {
        Setup::new(self.server).start()
    }

    /// A call of the client.
    pub fn call(self, server: &Server) -> Call<'_> {
        Call::new(self.client, server)
    }
}

/// Makes a test of each function that takes a [`Pair`], for every other make as client and as
/// server, in modules that are named for the peer and its role.
#[macro_export]
macro_rules! pairs {
    ($($test:ident),+ $(,)?) => {
        $crate::pairs!(@peer openssh_client, $crate::pair::Pair::client($crate::server::Make::OpenSsh), $($test),+);
        $crate::pairs!(@peer openssh_server, $crate::pair::Pair::server($crate::server::Make::OpenSsh), $($test),+);
        $crate::pairs!(@peer dropbear_client, $crate::pair::Pair::client($crate::server::Make::Dropbear), $($test),+);
        $crate::pairs!(@peer dropbear_server, $crate::pair::Pair::server($crate::server::Make::Dropbear), $($test),+);
        $crate::pairs!(@peer russh_client, $crate::pair::Pair::client($crate::server::Make::Russh), $($test),+);
        $crate::pairs!(@peer russh_server, $crate::pair::Pair::server($crate::server::Make::Russh), $($test),+);
        $crate::pairs!(@peer nacre_alone, $crate::pair::Pair::client($crate::server::Make::Nacre), $($test),+);
    };
    (@peer $name:ident, $pair:expr, $($test:ident),+) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $(#[test]
            fn $test() {
                super::$test($pair);
            })+
        }
    };
}
