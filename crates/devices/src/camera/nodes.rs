//! Which nodes of PipeWire are cameras.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use core::time::Duration;

use pipewire as pw;
use pw::context::ContextRc;
use pw::core::{CoreRc, PW_ID_CORE};
use pw::main_loop::MainLoopRc;
use pw::registry::{GlobalObject, RegistryRc};
use pw::spa::utils::dict::DictRef;
use pw::types::ObjectType;

use crate::DeviceError;
use crate::host::{DeviceChoice, DeviceId};

/// How long PipeWire may take to list its nodes.
const LIST_TIMEOUT: Duration = Duration::from_secs(2);

/// Says by which system a device of this name is opened, as the names of microphones and speakers do.
const ID_PREFIX: &str = "pipewire:";

/// A node of PipeWire that gives pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VideoNode {
    /// Its number, as long as it exists.
    pub(super) number: u32,
    /// Its name, which survives unplugging.
    pub(super) name: String,
    /// What to show.
    pub(super) description: String,
    /// The system prefers the node with the highest one.
    priority: i32,
}

impl VideoNode {
    pub(super) fn id(&self) -> DeviceId {
        DeviceId::new(format!("{ID_PREFIX}{}", self.name))
    }

    fn of(global: &GlobalObject<&DictRef>) -> Option<Self> {
        let properties = global.props.filter(|_| global.type_ == ObjectType::Node)?;
        if properties.get("media.class") != Some("Video/Source") {
            return None;
        }
        let name = properties.get("node.name")?.to_owned();
        let shown = ["node.description", "node.nick"].into_iter().find_map(|key| properties.get(key));
        let priority = properties.get("priority.session").and_then(|text| text.parse().ok());
        Some(Self {
            number: global.id,
            description: shown.unwrap_or(&name).to_owned(),
            name,
            priority: priority.unwrap_or_default(),
        })
    }

    /// The node that was chosen, by its id or by the name that people see.
    pub(super) fn chosen(nodes: Vec<Self>, choice: &DeviceChoice) -> Option<Self> {
        let DeviceChoice::Device(id) = choice else { return nodes.into_iter().next() };
        nodes.into_iter().find(|node| node.id() == *id || node.description == id.as_str())
    }
}

/// A connection to PipeWire, with the loop that serves it.
pub(super) struct Connection {
    pub(super) main_loop: MainLoopRc,
    pub(super) core: CoreRc,
    pub(super) registry: RegistryRc,
}

impl Connection {
    pub(super) fn open() -> Result<Self, DeviceError> {
        pw::init();
        let open = || -> Result<Self, pw::Error> {
            let main_loop = MainLoopRc::new(None)?;
            let core = ContextRc::new(&main_loop, None)?.connect_rc(None)?;
            let registry = core.get_registry_rc()?;
            Ok(Self { main_loop, core, registry })
        };
        open().map_err(|_| DeviceError::NoVideoSystem)
    }

    /// The cameras there are, the preferred one first.
    pub(super) fn list(&self) -> Result<Vec<VideoNode>, DeviceError> {
        let found = Rc::new(RefCell::new(Vec::new()));
        let nodes = Rc::clone(&found);
        let _globals = self
            .registry
            .add_listener_local()
            .global(move |global| nodes.borrow_mut().extend(VideoNode::of(global)))
            .register();
        self.wait_for_answer()?;
        let mut nodes = found.take();
        nodes.sort_by_key(|node| (-node.priority, node.number));
        Ok(nodes)
    }

    /// Runs the loop until everything that was asked before this has been answered.
    fn wait_for_answer(&self) -> Result<(), DeviceError> {
        let asked = self.core.sync(0).map_err(|_| DeviceError::NoVideoSystem)?;
        let answered = Rc::new(Cell::new(false));
        let (done, main_loop) = (Rc::clone(&answered), self.main_loop.clone());
        let _answers = self
            .core
            .add_listener_local()
            .done(move |id, answer| {
                if id == PW_ID_CORE && answer == asked {
                    done.set(true);
                    main_loop.quit();
                }
            })
            .register();
        let main_loop = self.main_loop.clone();
        let timeout = self.main_loop.loop_().add_timer(move |_| main_loop.quit());
        timeout.update_timer(Some(LIST_TIMEOUT), None);
        self.main_loop.run();
        if answered.get() { Ok(()) } else { Err(DeviceError::NoVideoSystem) }
    }
}

/// The cameras there are now.
pub(super) fn list() -> Result<Vec<VideoNode>, DeviceError> {
    Connection::open()?.list()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u32, name: &str, description: &str) -> VideoNode {
        VideoNode { number, name: name.to_owned(), description: description.to_owned(), priority: 0 }
    }

    #[test]
    fn camera_is_chosen_by_its_id_or_by_the_name_that_is_shown() {
        let nodes =
            vec![node(3, "v4l2_input.usb-1", "Webcam"), node(4, "v4l2_input.usb-2", "Document camera")];
        let chosen = |choice: &DeviceChoice| VideoNode::chosen(nodes.clone(), choice).map(|node| node.number);
        let device = |id: &str| DeviceChoice::Device(DeviceId::new(id.to_owned()));
        assert_eq!(chosen(&DeviceChoice::SystemDefault), Some(3));
        assert_eq!(chosen(&device("pipewire:v4l2_input.usb-2")), Some(4));
        assert_eq!(chosen(&device("Document camera")), Some(4));
        assert_eq!(chosen(&device("none")), None);
        assert_eq!(VideoNode::chosen(Vec::new(), &DeviceChoice::SystemDefault), None);
    }
}
