//! Storage in RAM that keeps only what openmls reads back while a group is alive: private key packages until
//! their Welcome and the private path keys of the current epoch. Everything else lives in `MlsGroup` itself, so
//! writing it again would serialise the whole group at every merge for nobody to read.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use openmls_traits::storage::{CURRENT_VERSION, Entity, Key, StorageProvider, traits};
use serde::Serialize;
use zeroize::Zeroizing;

/// A value of openmls could not be encoded or decoded; only a defect can cause it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a group key could not be kept in memory")]
pub(crate) struct StorageError;

type Shelf = BTreeMap<Vec<u8>, Zeroizing<Vec<u8>>>;

#[derive(Clone, Default)]
struct Shelves {
    key_packages: Shelf,
    leaf_keys: Shelf,
    epoch_keys: Shelf,
}

/// The storage of one group; values are erased when they are dropped (SEC-14).
#[derive(Default)]
pub(crate) struct RamStorage(Mutex<Shelves>);

impl RamStorage {
    /// A second storage with the same content: openmls deletes a key package at the first Welcome that names
    /// it, even a worthless one, so each Welcome is tried on a copy (wire.md §5).
    pub(crate) fn duplicate(&self) -> Self {
        Self(Mutex::new(self.shelves().clone()))
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Encodes into a buffer of just the right size: one that grew would leave copies of keys behind (SEC-14).
fn encode(value: &(impl Serialize + ?Sized)) -> Result<Zeroizing<Vec<u8>>, StorageError> {
    let size = postcard::experimental::serialized_size(&value).map_err(|_| StorageError)?;
    let mut bytes = Zeroizing::new(vec![0; size]);
    let written = postcard::to_slice(value, &mut bytes).map_err(|_| StorageError)?.len();
    if written == size { Ok(bytes) } else { Err(StorageError) }
}

/// Encodes the name of a value; it is no secret.
fn name(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, StorageError> {
    postcard::to_allocvec(value).map_err(|_| StorageError)
}

fn read<T: Entity<CURRENT_VERSION>>(
    shelf: &Shelf,
    key: &impl Key<CURRENT_VERSION>,
) -> Result<Option<T>, StorageError> {
    shelf.get(&name(key)?).map(|bytes| postcard::from_bytes(bytes).map_err(|_| StorageError)).transpose()
}

fn epoch_key(
    group_id: &impl Key<CURRENT_VERSION>,
    epoch: &impl Key<CURRENT_VERSION>,
    leaf_index: u32,
) -> Result<Vec<u8>, StorageError> {
    Ok([name(group_id)?, name(epoch)?, leaf_index.to_be_bytes().to_vec()].concat())
}

/// Methods that write or delete what is never read back.
macro_rules! forget {
    ($($name:ident<$($kind:ident),+>($($arg:ident: $ty:ty),+);)+) => { $(
        fn $name<$($kind: traits::$kind<CURRENT_VERSION>),+>(&self, $($arg: $ty),+) -> Result<(), StorageError> {
            Ok(())
        }
    )+ };
}

/// Readers of what was never kept: a group is never loaded from storage.
macro_rules! absent {
    ($($name:ident<$($kind:ident),+> -> $out:ty;)+) => { $(
        fn $name<$($kind: traits::$kind<CURRENT_VERSION>),+>(
            &self,
            _group_id: &GroupId,
        ) -> Result<$out, StorageError> {
            Ok(Default::default())
        }
    )+ };
}

impl StorageProvider<CURRENT_VERSION> for RamStorage {
    type Error = StorageError;

    forget! {
        write_mls_join_config<GroupId, MlsGroupJoinConfig>(_id: &GroupId, _value: &MlsGroupJoinConfig);
        append_own_leaf_node<GroupId, LeafNode>(_id: &GroupId, _value: &LeafNode);
        queue_proposal<GroupId, ProposalRef, QueuedProposal>(
            _id: &GroupId, _key: &ProposalRef, _value: &QueuedProposal);
        write_tree<GroupId, TreeSync>(_id: &GroupId, _value: &TreeSync);
        write_interim_transcript_hash<GroupId, InterimTranscriptHash>(
            _id: &GroupId, _value: &InterimTranscriptHash);
        write_context<GroupId, GroupContext>(_id: &GroupId, _value: &GroupContext);
        write_confirmation_tag<GroupId, ConfirmationTag>(_id: &GroupId, _value: &ConfirmationTag);
        write_group_state<GroupState, GroupId>(_id: &GroupId, _value: &GroupState);
        write_message_secrets<GroupId, MessageSecrets>(_id: &GroupId, _value: &MessageSecrets);
        write_resumption_psk_store<GroupId, ResumptionPskStore>(_id: &GroupId, _value: &ResumptionPskStore);
        write_own_leaf_index<GroupId, LeafNodeIndex>(_id: &GroupId, _value: &LeafNodeIndex);
        write_group_epoch_secrets<GroupId, GroupEpochSecrets>(_id: &GroupId, _value: &GroupEpochSecrets);
        write_signature_key_pair<SignaturePublicKey, SignatureKeyPair>(
            _key: &SignaturePublicKey, _value: &SignatureKeyPair);
        write_psk<PskId, PskBundle>(_id: &PskId, _value: &PskBundle);
        remove_proposal<GroupId, ProposalRef>(_id: &GroupId, _key: &ProposalRef);
        delete_own_leaf_nodes<GroupId>(_id: &GroupId);
        delete_group_config<GroupId>(_id: &GroupId);
        delete_tree<GroupId>(_id: &GroupId);
        delete_confirmation_tag<GroupId>(_id: &GroupId);
        delete_group_state<GroupId>(_id: &GroupId);
        delete_context<GroupId>(_id: &GroupId);
        delete_interim_transcript_hash<GroupId>(_id: &GroupId);
        delete_message_secrets<GroupId>(_id: &GroupId);
        delete_all_resumption_psk_secrets<GroupId>(_id: &GroupId);
        delete_own_leaf_index<GroupId>(_id: &GroupId);
        delete_group_epoch_secrets<GroupId>(_id: &GroupId);
        clear_proposal_queue<GroupId, ProposalRef>(_id: &GroupId);
        delete_signature_key_pair<SignaturePublicKey>(_key: &SignaturePublicKey);
        delete_psk<PskId>(_id: &PskId);
    }

    absent! {
        mls_group_join_config<GroupId, MlsGroupJoinConfig> -> Option<MlsGroupJoinConfig>;
        own_leaf_nodes<GroupId, LeafNode> -> Vec<LeafNode>;
        queued_proposal_refs<GroupId, ProposalRef> -> Vec<ProposalRef>;
        queued_proposals<GroupId, ProposalRef, QueuedProposal> -> Vec<(ProposalRef, QueuedProposal)>;
        tree<GroupId, TreeSync> -> Option<TreeSync>;
        group_context<GroupId, GroupContext> -> Option<GroupContext>;
        interim_transcript_hash<GroupId, InterimTranscriptHash> -> Option<InterimTranscriptHash>;
        confirmation_tag<GroupId, ConfirmationTag> -> Option<ConfirmationTag>;
        group_state<GroupState, GroupId> -> Option<GroupState>;
        message_secrets<GroupId, MessageSecrets> -> Option<MessageSecrets>;
        resumption_psk_store<GroupId, ResumptionPskStore> -> Option<ResumptionPskStore>;
        own_leaf_index<GroupId, LeafNodeIndex> -> Option<LeafNodeIndex>;
        group_epoch_secrets<GroupId, GroupEpochSecrets> -> Option<GroupEpochSecrets>;
    }

    fn signature_key_pair<
        SignaturePublicKey: traits::SignaturePublicKey<CURRENT_VERSION>,
        SignatureKeyPair: traits::SignatureKeyPair<CURRENT_VERSION>,
    >(
        &self,
        _public_key: &SignaturePublicKey,
    ) -> Result<Option<SignatureKeyPair>, StorageError> {
        Ok(None)
    }

    fn psk<PskBundle: traits::PskBundle<CURRENT_VERSION>, PskId: traits::PskId<CURRENT_VERSION>>(
        &self,
        _psk_id: &PskId,
    ) -> Result<Option<PskBundle>, StorageError> {
        Ok(None)
    }

    fn write_encryption_key_pair<
        EncryptionKey: traits::EncryptionKey<CURRENT_VERSION>,
        HpkeKeyPair: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        public_key: &EncryptionKey,
        key_pair: &HpkeKeyPair,
    ) -> Result<(), StorageError> {
        self.shelves().leaf_keys.insert(name(public_key)?, encode(key_pair)?);
        Ok(())
    }

    fn encryption_key_pair<
        HpkeKeyPair: traits::HpkeKeyPair<CURRENT_VERSION>,
        EncryptionKey: traits::EncryptionKey<CURRENT_VERSION>,
    >(
        &self,
        public_key: &EncryptionKey,
    ) -> Result<Option<HpkeKeyPair>, StorageError> {
        read(&self.shelves().leaf_keys, public_key)
    }

    fn delete_encryption_key_pair<EncryptionKey: traits::EncryptionKey<CURRENT_VERSION>>(
        &self,
        public_key: &EncryptionKey,
    ) -> Result<(), StorageError> {
        self.shelves().leaf_keys.remove(&name(public_key)?);
        Ok(())
    }

    fn write_encryption_epoch_key_pairs<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        EpochKey: traits::EpochKey<CURRENT_VERSION>,
        HpkeKeyPair: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
        epoch: &EpochKey,
        leaf_index: u32,
        key_pairs: &[HpkeKeyPair],
    ) -> Result<(), StorageError> {
        let key = epoch_key(group_id, epoch, leaf_index)?;
        self.shelves().epoch_keys.insert(key, encode(key_pairs)?);
        Ok(())
    }

    fn encryption_epoch_key_pairs<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        EpochKey: traits::EpochKey<CURRENT_VERSION>,
        HpkeKeyPair: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
        epoch: &EpochKey,
        leaf_index: u32,
    ) -> Result<Vec<HpkeKeyPair>, StorageError> {
        match self.shelves().epoch_keys.get(&epoch_key(group_id, epoch, leaf_index)?) {
            Some(bytes) => postcard::from_bytes(bytes).map_err(|_| StorageError),
            None => Ok(Vec::new()),
        }
    }

    fn delete_encryption_epoch_key_pairs<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        EpochKey: traits::EpochKey<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
        epoch: &EpochKey,
        leaf_index: u32,
    ) -> Result<(), StorageError> {
        self.shelves().epoch_keys.remove(&epoch_key(group_id, epoch, leaf_index)?);
        Ok(())
    }

    fn write_key_package<
        HashReference: traits::HashReference<CURRENT_VERSION>,
        KeyPackage: traits::KeyPackage<CURRENT_VERSION>,
    >(
        &self,
        hash_ref: &HashReference,
        key_package: &KeyPackage,
    ) -> Result<(), StorageError> {
        self.shelves().key_packages.insert(name(hash_ref)?, encode(key_package)?);
        Ok(())
    }

    fn key_package<
        KeyPackageRef: traits::HashReference<CURRENT_VERSION>,
        KeyPackage: traits::KeyPackage<CURRENT_VERSION>,
    >(
        &self,
        hash_ref: &KeyPackageRef,
    ) -> Result<Option<KeyPackage>, StorageError> {
        read(&self.shelves().key_packages, hash_ref)
    }

    fn delete_key_package<KeyPackageRef: traits::HashReference<CURRENT_VERSION>>(
        &self,
        hash_ref: &KeyPackageRef,
    ) -> Result<(), StorageError> {
        self.shelves().key_packages.remove(&name(hash_ref)?);
        Ok(())
    }
}
