//! The external commit by which somebody would get in who was never admitted (`filter`): RFC 9420 lets whoever knows
//! the public state of a group join it. Here a member gives that state away.
//!
//! For tests only: the feature `danger-sabotage` is refused in release builds.

use incamera_identity::{Credential, DisplayName, SigningKey};
use incamera_types::Entropy;
use openmls::prelude::{ExternalCommitBuilder, LeafNodeParameters, MlsMessageBodyIn, MlsMessageIn};
use openmls_traits::OpenMlsProvider as _;
use tls_codec::{DeserializeBytes as _, Serialize as _};

use super::GroupMachine;
use crate::parameters::{capabilities, credential_with_key, group_config};
use crate::provider::{LeafSigner, Provider};
use crate::safeguards::Safeguards;

impl GroupMachine {
    /// The commit of an outsider called `name` into the present epoch; `None` when openmls cannot make it.
    pub fn external_commit(&self, name: DisplayName, mut entropy: Box<dyn Entropy>) -> Option<Vec<u8>> {
        let own = LeafSigner(&self.leaf_key);
        let info = self.group.export_group_info(self.provider.crypto(), &own, true).ok()?;
        let info = MlsMessageIn::tls_deserialize_exact_bytes(&info.tls_serialize_detached().ok()?).ok()?;
        let MlsMessageBodyIn::GroupInfo(info) = info.extract() else { return None };
        let key = SigningKey::generate(&mut entropy);
        let credential = Credential::anonymous(name);
        let provider = Provider::new(entropy);
        let (_, bundle) = ExternalCommitBuilder::new()
            .with_config(group_config(Safeguards::default()))
            .build_group(&provider, info, credential_with_key(&credential, &key.verifying_key()))
            .ok()?
            .leaf_node_parameters(LeafNodeParameters::builder().with_capabilities(capabilities()).build())
            .load_psks(provider.storage())
            .ok()?
            .build(provider.rand(), provider.crypto(), &LeafSigner(&key), |_| true)
            .ok()?
            .finalize(&provider)
            .ok()?;
        bundle.into_commit().tls_serialize_detached().ok()
    }
}
