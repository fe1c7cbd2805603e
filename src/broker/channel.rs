//! What channels are called.

use crate::hub::nodes::Address;

/// The channel of an address. Names of rooms come last, so that nothing in them is taken for another part.
pub(super) fn name(prefix: &str, address: &Address) -> String {
    match address {
        Address::All => format!("{prefix}:all"),
        Address::Node(node) => format!("{prefix}:node:{node}"),
        Address::Room(room) => format!("{prefix}:room:{room}"),
        Address::Name(name) => format!("{prefix}:name:{name}"),
        Address::User(user) => format!("{prefix}:user:{user}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{NodeId, RoomId, UserId};

    #[test]
    fn no_two_addresses_have_the_same_channel() {
        let addresses = [
            (Address::All, "chat:all"),
            (Address::Node(NodeId(255)), "chat:node:00000000000000ff"),
            (Address::Room(RoomId(7)), "chat:room:7"),
            (Address::User(UserId(7)), "chat:user:7"),
            (Address::Name("room:7".into()), "chat:name:room:7"),
            (Address::Name(String::new()), "chat:name:"),
        ];
        for (address, expected) in addresses {
            assert_eq!(name("chat", &address), expected);
        }
    }
}
