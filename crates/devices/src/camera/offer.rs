//! What is asked of PipeWire: formats of pictures, and what comes with each picture.

use std::io::Cursor;

use pipewire::spa;
use spa::param::ParamType;
use spa::param::format::{FormatProperties, MediaSubtype, MediaType};
use spa::param::video::VideoFormat as SpaFormat;
use spa::pod::serialize::PodSerializer;
use spa::pod::{ChoiceValue, Object, Property, Value, property};
use spa::utils::{Choice, ChoiceEnum, ChoiceFlags, Fraction, Id, Rectangle, SpaTypes};

use crate::DeviceError;
use crate::video::VideoFormat;

/// Largest picture that is taken: more than a meeting shows, and it bounds what each one costs.
const LARGEST: Rectangle = Rectangle { width: 1_920, height: 1_080 };

/// Fewest pictures per second that count as moving.
const LEAST_MOVING: Fraction = Fraction { num: 20, denom: 1 };

/// Most pictures per second.
const MOST: Fraction = Fraction { num: 60, denom: 1 };

/// A camera that does not say its rate says this.
const VARIABLE: Fraction = Fraction { num: 0, denom: 1 };

/// Parameters of a stream, as PipeWire reads them.
pub(super) struct Parameters(Vec<Vec<u8>>);

impl Parameters {
    /// Formats, the most welcome first: the wanted size in motion, without and with JPEG (many cameras have large
    /// pictures only as JPEG), then whatever there is.
    pub(super) fn of_formats(wanted: VideoFormat) -> Result<Self, DeviceError> {
        let size = Rectangle { width: wanted.size.width(), height: wanted.size.height() };
        let exact = Value::Rectangle(size);
        let any = Value::Choice(ChoiceValue::Rectangle(Choice(
            ChoiceFlags::empty(),
            ChoiceEnum::Range { default: size, min: Rectangle { width: 16, height: 16 }, max: LARGEST },
        )));
        let rate = Fraction { num: wanted.rate.per_second().round() as u32, denom: 1 };
        let offers = [(&exact, LEAST_MOVING), (&any, VARIABLE)];
        let offers = offers.into_iter().flat_map(|(size, least)| {
            let rates = ChoiceEnum::Range { default: rate, min: least, max: MOST };
            [raw_format(), jpeg_format()].map(|format| offer(format, size.clone(), rates.clone()))
        });
        Self::of(offers)
    }

    /// Pictures in memory that can be read, with their times.
    pub(super) fn of_buffers() -> Result<Self, DeviceError> {
        let memory = [spa::sys::SPA_DATA_MemPtr, spa::sys::SPA_DATA_MemFd];
        let memory = memory.iter().fold(0, |flags, kind| flags | 1 << kind);
        let kinds = ChoiceEnum::Flags { default: memory, flags: vec![memory] };
        let buffers = Object {
            type_: SpaTypes::ObjectParamBuffers.as_raw(),
            id: ParamType::Buffers.as_raw(),
            properties: vec![Property::new(
                spa::sys::SPA_PARAM_BUFFERS_dataType,
                Value::Choice(ChoiceValue::Int(Choice(ChoiceFlags::empty(), kinds))),
            )],
        };
        let header_size = size_of::<spa::sys::spa_meta_header>() as i32;
        let header = Object {
            type_: SpaTypes::ObjectParamMeta.as_raw(),
            id: ParamType::Meta.as_raw(),
            properties: vec![
                Property::new(spa::sys::SPA_PARAM_META_type, Value::Id(Id(spa::sys::SPA_META_Header))),
                Property::new(spa::sys::SPA_PARAM_META_size, Value::Int(header_size)),
            ],
        };
        Self::of([buffers, header])
    }

    fn of(objects: impl IntoIterator<Item = Object>) -> Result<Self, DeviceError> {
        let bytes = |object| {
            let written = PodSerializer::serialize(Cursor::new(Vec::new()), &Value::Object(object));
            written.map(|(cursor, _)| cursor.into_inner())
        };
        let bytes = objects.into_iter().map(bytes).collect::<Result<Vec<_>, _>>();
        bytes.map(Self).map_err(|_| DeviceError::Unsupported)
    }

    /// References to all of them.
    pub(super) fn pods(&self) -> Vec<&spa::pod::Pod> {
        self.0.iter().filter_map(|bytes| spa::pod::Pod::from_bytes(bytes)).collect()
    }
}

/// Pictures as they are, in the layouts that [`super::pixels`] reads.
fn raw_format() -> Vec<Property> {
    vec![
        property!(FormatProperties::MediaSubtype, Id, MediaSubtype::Raw),
        property!(
            FormatProperties::VideoFormat,
            Choice,
            Enum,
            Id,
            SpaFormat::I420,
            SpaFormat::I420,
            SpaFormat::NV12,
            SpaFormat::YUY2
        ),
    ]
}

/// Pictures as JPEG.
fn jpeg_format() -> Vec<Property> {
    vec![property!(FormatProperties::MediaSubtype, Id, MediaSubtype::Mjpg)]
}

fn offer(format: Vec<Property>, size: Value, rates: ChoiceEnum<Fraction>) -> Object {
    let rates = Value::Choice(ChoiceValue::Fraction(Choice(ChoiceFlags::empty(), rates)));
    let mut properties = vec![property!(FormatProperties::MediaType, Id, MediaType::Video)];
    properties.extend(format);
    properties.push(Property::new(FormatProperties::VideoSize.as_raw(), size));
    properties.push(Property::new(FormatProperties::VideoFramerate.as_raw(), rates));
    Object { type_: SpaTypes::ObjectParamFormat.as_raw(), id: ParamType::EnumFormat.as_raw(), properties }
}
