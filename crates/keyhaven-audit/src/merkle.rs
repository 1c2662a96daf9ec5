//! Merkle trees as in RFC 9162 §2.1 (and RFC 6962): leaves and nodes are hashed apart, so that neither passes for the
//! other.

use crate::{Hash, sha256};

/// The hash of a leaf: `SHA-256(0x00 || data)`, with the data in parts.
#[must_use]
pub fn leaf_hash(data: &[&[u8]]) -> Hash {
    let mut parts = Vec::with_capacity(data.len().saturating_add(1));
    parts.push(&[0_u8][..]);
    parts.extend_from_slice(data);
    sha256(&parts)
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// The root over leaves that were hashed already. Of no leaves: the hash of nothing.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [only] => *only,
        more => {
            let (left, right) = more.split_at(split(more.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// The way from a leaf up to the root: the hash of each sibling, lowest first. `None`: there is no such leaf.
#[must_use]
pub fn path(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    match leaves {
        [] => None,
        [_] => (index == 0).then(Vec::new),
        more => {
            let (left, right) = more.split_at(split(more.len()));
            let (mut below, beside) = match index.checked_sub(left.len()) {
                None => (path(left, index)?, root(right)),
                Some(index) => (path(right, index)?, root(left)),
            };
            below.push(beside);
            Some(below)
        }
    }
}

/// The root that a leaf and its path lead to in a tree of `size` leaves (RFC 9162 §2.1.3.2). `None`: the path is no way
/// from there to a root.
#[must_use]
pub fn root_from_path(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last) = (index, size.checked_sub(1)?);
    let mut hash = leaf;
    for beside in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(beside, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// The largest power of two below `len`, which is at least 2.
const fn split(len: usize) -> usize {
    1 << len.saturating_sub(1).ilog2()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaves(n: usize) -> Vec<Hash> {
        (0..n).map(|n| leaf_hash(&[&n.to_be_bytes()])).collect()
    }

    fn number(n: usize) -> u64 {
        u64::try_from(n).unwrap()
    }

    fn hex(text: &str) -> Hash {
        let bytes: Vec<u8> = (0..32)
            .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        bytes.try_into().unwrap()
    }

    /// The test vectors that implementations of RFC 6962 share.
    #[test]
    fn known_trees_have_their_known_roots() {
        let data: [&[u8]; 8] = [
            &[],
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[
                0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e,
                0x6f,
            ],
        ];
        let leaves: Vec<_> = data.iter().map(|data| leaf_hash(&[data])).collect();
        for (n, expected) in [
            (
                0,
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                1,
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            ),
            (
                2,
                "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            ),
            (
                3,
                "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            ),
            (
                8,
                "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
            ),
        ] {
            assert_eq!(root(&leaves[..n]), hex(expected), "{n} leaves");
        }
    }

    #[test]
    fn every_leaf_of_every_small_tree_has_a_path_and_no_other_leads_to_the_root() {
        for size in 1..=40 {
            let leaves = leaves(size);
            let root = root(&leaves);
            for index in 0..size {
                let way = path(&leaves, index).unwrap();
                let (at, of) = (number(index), number(size));
                assert_eq!(root_from_path(leaves[index], at, of, &way), Some(root));
                for other in 0..size + 2 {
                    if other != index {
                        assert_ne!(
                            root_from_path(leaves[index], number(other), of, &way),
                            Some(root),
                            "{index} as {other} of {size}"
                        );
                    }
                }
            }
            assert_eq!(path(&leaves, size), None);
        }
    }

    proptest! {
        #[test]
        fn a_spoiled_path_leads_elsewhere(size in 1_usize..1000, at in any::<prop::sample::Index>(), bit in 0_usize..256) {
            let leaves = leaves(size);
            let (index, root) = (at.index(size), root(&leaves));
            let (of, way) = (number(size), path(&leaves, at.index(size)).unwrap());
            prop_assert_eq!(root_from_path(leaves[index], number(index), of, &way), Some(root));
            let mut leaf = leaves[index];
            leaf[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(root_from_path(leaf, number(index), of, &way), Some(root));
            for n in 0..way.len() {
                let mut other = way.clone();
                other[n][bit / 8] ^= 1 << (bit % 8);
                prop_assert_ne!(root_from_path(leaves[index], number(index), of, &other), Some(root));
            }
            let mut longer = way.clone();
            longer.push(root);
            prop_assert_eq!(root_from_path(leaves[index], number(index), of, &longer), None);
            if let Some((_, shorter)) = way.split_last() {
                prop_assert_ne!(root_from_path(leaves[index], number(index), of, shorter), Some(root));
            }
        }

        #[test]
        fn other_leaves_make_another_root(size in 1_usize..300, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
            let leaves = leaves(size);
            let original = root(&leaves);
            let mut swapped = leaves.clone();
            swapped.swap(a.index(size), b.index(size));
            prop_assert_eq!(root(&swapped) == original, a.index(size) == b.index(size));
            let mut fewer = leaves.clone();
            fewer.remove(a.index(size));
            prop_assert_ne!(root(&fewer), original);
            let mut more = leaves;
            more.insert(a.index(size), [7; 32]);
            prop_assert_ne!(root(&more), original);
        }
    }
}
