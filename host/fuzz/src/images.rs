//! Memory images: nothing is opened that was not sealed, what is opened lies where an image may, what was sealed comes back, and
//! placing it makes exactly the memory that it stands for, of which nothing stays behind.

use picloud::limits::{IMAGE_EXTENTS_MAX, IMAGE_MAPPED_BYTES_MIN};
use picloud::model::script::{Code, Module};
use picloud::sandbox::fuzzing::placed;
use picloud::sandbox::image::{MemoryImage, Refused, key};
use picloud::wit::Extent;
use picloud::wit::picloud::sandbox::preparation::Layout;

use crate::draw::Draw;

const KEY: [u8; 32] = [7; 32];
const PAGE: usize = 64 << 10;
const LAYOUT: Layout = Layout { data_start: 1 << 10, control_start: 2 << 10, control_end: 3 << 10, memory_bytes: 1 << 16 };
const MEMORY_MAX: usize = 8 * PAGE;
/// Memory into which an image is placed: room for two long runs and what lies between.
const PLACED_PAGES: u32 = 24;
const EDITS_MOST: usize = 48;

pub fn check(data: &[u8]) {
    let mut draw = Draw::new(data);
    match draw.below(8) {
        0 => raw(draw.rest()),
        1 => compressed(draw.rest()),
        2 | 3 => payload(draw.rest()),
        4 => keys(&mut draw),
        5 | 6 => two_memories(&mut draw),
        _ => placement(&mut draw),
    }
}

/// Bytes as they may lie in the database.
fn raw(data: &[u8]) {
    if let Ok(image) = MemoryImage::open(data, &KEY, &LAYOUT, MEMORY_MAX) {
        assert!(is_fit(&image));
        let (body, checksum) = data.split_at(data.len() - 32);
        assert_eq!(blake3::hash(body).as_bytes(), checksum);
        assert_eq!(body[8..40], KEY, "another's image");
    }
}

/// Behind a checksum and a key that are right: anything that may be compressed or not.
fn compressed(data: &[u8]) {
    if let Ok(image) = MemoryImage::open(&sealed(data), &KEY, &LAYOUT, MEMORY_MAX) {
        assert!(is_fit(&image));
        comes_back(&image, &LAYOUT);
    }
}

/// Behind good compression, too: what is opened is what a reader as plain as this one reads, and fits.
fn payload(data: &[u8]) {
    let compressed = zstd::bulk::compress(data, 1).expect("compression");
    let opened = MemoryImage::open(&sealed(&compressed), &KEY, &LAYOUT, MEMORY_MAX);
    match read(data) {
        None => assert_eq!(opened, Err(Refused::Format)),
        Some(image) if !is_fit(&image) => assert_eq!(opened, Err(Refused::Extents)),
        Some(image) => {
            assert_eq!(opened.as_ref(), Ok(&image));
            comes_back(&image, &LAYOUT);
        }
    }
}

/// The sealed form around `compressed`, with its head taken from a true one.
fn sealed(compressed: &[u8]) -> Vec<u8> {
    let none = MemoryImage { pages: 1, extents: Vec::new() }.seal(&KEY).expect("an image");
    let mut sealed = none[..40].to_vec();
    sealed.extend_from_slice(compressed);
    let checksum = blake3::hash(&sealed);
    sealed.extend_from_slice(checksum.as_bytes());
    sealed
}

fn read(mut rest: &[u8]) -> Option<MemoryImage> {
    fn word(rest: &mut &[u8]) -> Option<u32> {
        let (word, after) = rest.split_first_chunk()?;
        *rest = after;
        Some(u32::from_le_bytes(*word))
    }
    let pages = word(&mut rest)?;
    let mut extents = Vec::new();
    while !rest.is_empty() {
        let (address, len) = (word(&mut rest)?, word(&mut rest)? as usize);
        extents.push(Extent { address, bytes: rest.get(..len)?.to_vec() });
        rest = &rest[len..];
    }
    Some(MemoryImage { pages, extents })
}

/// In order, apart, not empty, in a memory that is no larger than allowed, outside of stack and control block.
fn is_fit(image: &MemoryImage) -> bool {
    let memory = u64::from(image.pages) * PAGE as u64;
    let spans: Vec<(u64, u64)> = image
        .extents
        .iter()
        .map(|extent| (extent.address.into(), u64::from(extent.address) + extent.bytes.len() as u64))
        .collect();
    let apart = spans.windows(2).all(|pair| pair[0].1 <= pair[1].0);
    let (stack, control) = (u64::from(LAYOUT.data_start), u64::from(LAYOUT.control_start)..u64::from(LAYOUT.control_end));
    let free = |&(start, end): &(u64, u64)| {
        start < end && end <= memory && start >= stack && (end <= control.start || start >= control.end)
    };
    memory <= MEMORY_MAX as u64 && image.extents.len() <= IMAGE_EXTENTS_MAX && apart && spans.iter().all(free)
}

fn comes_back(image: &MemoryImage, layout: &Layout) {
    let sealed = image.seal(&KEY).expect("an image");
    assert_eq!(MemoryImage::open(&sealed, &KEY, layout, MEMORY_MAX).as_ref(), Ok(image));
}

/// The key is another one for whatever else an image is made of.
fn keys(draw: &mut Draw) {
    let one = belongings(draw);
    let other = if draw.flag() { moved(&one, draw) } else { belongings(draw) };
    let of = |(component, layout, code): &Belongings| key(component, layout, code);
    let words = |layout: &Layout| [layout.data_start, layout.control_start, layout.control_end, layout.memory_bytes];
    let same = one.0 == other.0 && words(&one.1) == words(&other.1) && one.2 == other.2;
    assert_eq!(of(&one) == of(&other), same, "{one:?} / {other:?}");
}

type Belongings = (String, Layout, Code);

fn belongings(draw: &mut Draw) -> Belongings {
    let component = draw.raw_text(4);
    let layout = Layout { data_start: draw.u32() % 4, control_start: 4, control_end: 4, memory_bytes: 8 };
    let (name, source) = (draw.raw_text(4), draw.raw_text(8));
    let modules = draw.list(2, |draw| Module { name: draw.raw_text(4), source: draw.raw_text(8) });
    (component, layout, Code { name, source, modules })
}

/// The same bytes, divided in another way.
fn moved((component, layout, code): &Belongings, draw: &mut Draw) -> Belongings {
    let mut code = code.clone();
    match draw.below(3) {
        0 => code.source = format!("{}{}", code.name.split_off(code.name.floor_char_boundary(1)), code.source),
        1 => code.modules.push(Module { name: String::new(), source: String::new() }),
        _ => code.modules.reverse(),
    }
    (component.clone(), *layout, code)
}

/// What turns one memory into another comes back from its sealed form, does that, and is refused with one bit of it turned.
fn two_memories(draw: &mut Draw) {
    let before_pages = 1 + draw.below(2);
    let mut before = vec![0; before_pages * PAGE];
    edit(draw, &mut before);
    let mut after = before.clone();
    after.resize((before_pages + draw.below(2)) * PAGE, 0);
    edit(draw, &mut after);
    let layout = layout(draw, before.len());
    let image = MemoryImage::between(&before, &after, &layout).expect("so few changes fit");
    assert!(image.extents.len() <= IMAGE_EXTENTS_MAX);
    comes_back(&image, &layout);
    let made = applied(&before, &image.extents, after.len());
    let (data, control) = (layout.data_start as usize, layout.control_start as usize..layout.control_end as usize);
    assert!(made[data..control.start] == after[data..control.start] && made[control.end..] == after[control.end..]);
    assert!(made[..data] == before[..data] && made[control.clone()] == before[control]);
    spoilt(draw, &image, &layout);
}

/// Words at 8, as the guest's own layout has them.
fn layout(draw: &mut Draw, len: usize) -> Layout {
    let mut bounds = [0; 3].map(|_: u32| u32::from(draw.u16()) & !7);
    bounds.sort_unstable();
    let [data_start, control_start, control_end] = bounds;
    Layout { data_start, control_start, control_end, memory_bytes: u32::try_from(len).expect("a memory") }
}

fn edit(draw: &mut Draw, memory: &mut [u8]) {
    for _ in 0..draw.below(EDITS_MOST) {
        let (at, len, byte) = (draw.below(memory.len()), 1 + draw.below(600), draw.below(256) as u8);
        let end = (at + len).min(memory.len());
        memory[at..end].fill(byte);
    }
}

fn applied(before: &[u8], extents: &[Extent], len: usize) -> Vec<u8> {
    let mut memory = before.to_vec();
    memory.resize(len, 0);
    for extent in extents {
        memory[extent.address as usize..][..extent.bytes.len()].copy_from_slice(&extent.bytes);
    }
    memory
}

fn spoilt(draw: &mut Draw, image: &MemoryImage, layout: &Layout) {
    let sealed = image.seal(&KEY).expect("an image");
    let open = |bytes: &[u8], key: &[u8; 32]| MemoryImage::open(bytes, key, layout, MEMORY_MAX);
    let mut flipped = sealed.clone();
    flipped[draw.below(sealed.len())] ^= 1 << draw.below(8);
    assert!(open(&flipped, &KEY).is_err(), "a bit was flipped");
    assert!(open(&sealed[..draw.below(sealed.len())], &KEY).is_err(), "the end is missing");
    assert!(open(&[sealed.as_slice(), &[0]].concat(), &KEY).is_err(), "there is more at the end");
    assert_eq!(open(&sealed, &[8; 32]), Err(Refused::Foreign));
}

/// What is copied and what is mapped make the image's memory; afterwards only what was copied is there.
fn placement(draw: &mut Draw) {
    let mut fresh = vec![0; 2 * PAGE];
    edit(draw, &mut fresh);
    let heap = draw.below(fresh.len());
    let memory = PLACED_PAGES as usize * PAGE;
    let (mut extents, mut free_from) = (Vec::new(), 0);
    for _ in 0..1 + draw.below(6) {
        let address = free_from + draw.below(4 * PAGE);
        let len = if draw.flag() { IMAGE_MAPPED_BYTES_MIN + draw.below(PAGE) } else { 1 + draw.below(PAGE) };
        if address + len > memory {
            break;
        }
        let bytes = (0..len).map(|at| (at % 251) as u8 + 1).collect();
        extents.push(Extent { address: u32::try_from(address).expect("an address"), bytes });
        free_from = address + len;
    }
    let image = MemoryImage { pages: PLACED_PAGES, extents };
    let expected = applied(&fresh, &image.extents, memory);
    let placed = placed(image, &fresh, heap).expect("a placement");
    assert!(placed.copied.len() <= IMAGE_EXTENTS_MAX && placed.mapped_bytes <= memory);
    assert!(placed.during == expected, "another memory than the image's");
    assert!(placed.after == applied(&fresh, &placed.copied, memory), "something of the image stayed");
}
