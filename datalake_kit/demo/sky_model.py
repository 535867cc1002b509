"""A sky made by formula: clear sky, clouds that move and change, night. For the demo lake; it measures nothing.

- The sun: the low-precision formulas of the Astronomical Almanac, good to about 0.01 degrees.
- Clear sky: Ineichen and Perez (2002) as pvlib has it, at sea level, with pvlib's climatology of Linke turbidity and a
  slow variation of a tenth about it.
- Clouds: three layers of noise (weather systems, fields, single clouds), carried by a wind that depends on latitude;
  each layer fades into a new one while it moves, so nothing repeats during the year. How much cloud: by latitude and
  season, and about 45 N 8 E by the hourly clearness of the PVGIS typical year.
- Diffuse share: Erbs et al. (1982).

The same seed gives the same sky at any place and instant, whichever files are made from it.
"""

from __future__ import annotations

import csv
import lzma
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "DRIVEN_AT",
    "EPOCH",
    "TYPICAL_YEAR",
    "YEAR",
    "Observation",
    "Sky",
    "SkyPatch",
    "sun",
    "typical_year",
    "typical_year_file",
]

Array = np.ndarray[Any, Any]

YEAR = 2025
EPOCH = np.datetime64(f"{YEAR}-01-01T00:00:00")  # seconds are counted from here, UTC
SEED = 20250612
TYPICAL_YEAR = "pvgis_tmy_45.000_8.000_2005_2023.csv"
DRIVEN_AT = (45.0, 8.0)  # the place of the PVGIS year
_DAY = 86400.0
_SHIFTS = 4096
MID_SCAN = 440.0  # seconds from the slot to the middle of the scan


@dataclass(frozen=True)
class Observation:
    """What would be seen: ghi in W/m2, its diffuse share, and how much of the sky is cloud (0 to 1)."""

    ghi: Array
    fraction_diffuse: Array
    cloud: Array


@dataclass(frozen=True)
class _Layer:
    """Noise of one scale: width of the tile in degrees, life in seconds, weight, steepness of its spectrum."""

    tile: float
    life: float
    weight: float
    slope: float
    size: int = 512


_LAYERS = (
    _Layer(tile=96.0, life=3.0 * _DAY, weight=0.75, slope=3.2),
    _Layer(tile=32.0, life=14 * 3600.0, weight=0.55, slope=2.6),
    _Layer(tile=20.0, life=4 * 3600.0, weight=0.50, slope=1.7),
)
_DRIVEN_WEIGHTS = (0.15, 0.40, 0.50)  # where the typical year tells the weather, only the smaller scales are free


def sun(seconds: Array) -> tuple[Array, Array]:
    """Return the sun's declination and Greenwich hour angle in radians; seconds are UTC from EPOCH."""
    days = (EPOCH - np.datetime64("2000-01-01T12:00:00")) / np.timedelta64(1, "D") + np.asarray(seconds, float) / _DAY
    anomaly = np.radians((357.528 + 0.9856003 * days) % 360)
    mean = 280.460 + 0.9856474 * days
    ecliptic = np.radians((mean + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly)) % 360)
    tilt = np.radians(23.439 - 0.0000004 * days)
    ascension = np.arctan2(np.cos(tilt) * np.sin(ecliptic), np.cos(ecliptic))
    sidereal = np.radians((280.46061837 + 360.98564736629 * days) % 360)
    return np.arcsin(np.sin(tilt) * np.sin(ecliptic)), sidereal - ascension


def _sun_of_scan(seconds: Array) -> tuple[Array, Array]:
    """Return what `sun` does; for the many cells of one scan by a straight line between its first and last instant."""
    seconds = np.asarray(seconds, float)
    first, last = float(seconds.min()), float(seconds.max())
    if seconds.size < 3 or not 0 < last - first < 1800:
        return sun(seconds)
    declination, hour = sun(np.array([first, last]))
    share = (seconds - first) / (last - first)
    turn = (hour[1] - hour[0] + np.pi) % (2 * np.pi) - np.pi
    return declination[0] + share * (declination[1] - declination[0]), hour[0] + share * turn


class Sky:
    """The sky of the demo lake. `patch` gives a part of it, which can be looked at as often as wanted."""

    def __init__(self, seed: int = SEED) -> None:
        random = np.random.Generator(np.random.PCG64(seed))
        self._textures = [_texture(random, layer) for layer in _LAYERS]
        self._shifts = random.random((len(_LAYERS), 2, _SHIFTS, 2))

    def patch(self, latitude: Array, longitude: Array) -> SkyPatch:
        """Return the part of the sky over these places: two arrays of the same length, in degrees."""
        return SkyPatch(self, np.atleast_1d(latitude), np.atleast_1d(longitude))

    def noise(self, number: int, latitude: Array, longitude: Array, seconds: Array, wind: tuple[Array, Array]) -> Array:
        """Return one layer: two copies that fade into each other, each carried by the wind while it lives."""
        layer, texture = _LAYERS[number], self._textures[number]
        total: Any = 0.0
        power: Any = 0.0
        for copy in (0, 1):
            phase = np.asarray(seconds / layer.life + 0.5 * copy)
            cycle = np.floor(phase)
            age = (phase - cycle - 0.5).astype("f4")
            weight = 1 - 2 * np.abs(age)
            shift = (self._shifts[number, copy, cycle.astype(np.int64) % _SHIFTS] * layer.size).astype("f4")
            drift, scale = age * np.float32(layer.life), np.float32(layer.size / layer.tile)
            x = (longitude - wind[0] * drift) * scale + shift[..., 0]
            y = (latitude - wind[1] * drift) * scale + shift[..., 1]
            total = total + weight * _look_up(texture, x, y)
            power = power + weight**2
        result: Array = total / np.sqrt(power)
        return result

    @cached_property
    def driven(self) -> tuple[Array, Array]:
        """Return seconds and cloud bias of each hour of the typical year at its place."""
        year = typical_year()
        seconds = np.arange(len(year)) * 3600.0 + 0.1761 * 3600.0  # the offset that PVGIS states for this place
        clear = self.patch(*(np.array([v]) for v in DRIVEN_AT)).clear_sky(seconds)
        usable = clear > 150.0
        clearness = np.clip(year[usable, 0] / clear[usable], 0.08, 1.0)
        spread = float(np.sqrt(sum(w**2 for w in _DRIVEN_WEIGHTS)))
        bias, mean = _mean_clearness(spread)
        return seconds[usable], np.interp(-clearness, -mean, bias)


class SkyPatch:
    """Places under the sky. With one place, any number of instants; with several, an instant for each."""

    def __init__(self, sky: Sky, latitude: Array, longitude: Array) -> None:
        self._sky = sky
        self.latitude = latitude.astype("f8")
        self.longitude = longitude.astype("f8")
        self._north, self._east = self.latitude.astype("f4"), self.longitude.astype("f4")
        self._sin = np.sin(np.radians(self.latitude)).astype("f4")
        self._cos = np.cos(np.radians(self.latitude)).astype("f4")
        away = (self.latitude - DRIVEN_AT[0]) ** 2 + (0.7 * (self.longitude - DRIVEN_AT[1])) ** 2
        self._driven = np.exp(-away / (2 * 4.0**2)).astype("f4")
        self._wind = _wind(self.latitude)
        self._climate = _climate(self.latitude)

    @cached_property
    def _turbidity(self) -> Array:
        return _linke_turbidity(self.latitude, self.longitude)

    def cos_zenith(self, seconds: Array) -> Array:
        """Return the cosine of the sun's zenith angle, without refraction."""
        declination, hour_angle = _sun_of_scan(seconds)
        hour = (hour_angle + np.radians(self.longitude)).astype("f4")
        cosine: Array = self._sin * np.sin(declination).astype("f4") + self._cos * np.cos(declination).astype(
            "f4"
        ) * np.cos(hour)
        return cosine

    def clear_sky(self, seconds: Array, *, cosine: Array | None = None, haze: Array | float = 1.0) -> Array:
        """Return the clear-sky GHI in W/m2 at these instants; `haze` is a factor on the turbidity."""
        cosine = self.cos_zenith(seconds) if cosine is None else cosine
        elevation = np.degrees(np.arcsin(np.clip(cosine, -1, 1)))
        elevation = np.maximum(elevation, -1)
        elevation = elevation + 1.02 / (60 * np.tan(np.radians(elevation + 10.3 / (elevation + 5.11))))
        elevation = np.maximum(elevation, 0)
        cosine = np.sin(np.radians(elevation))
        air_mass = 1 / (cosine + 0.50572 * (6.07995 + elevation) ** np.float32(-1.6364))
        day = np.asarray(np.mean(seconds)) if self.latitude.size > 1 else seconds  # one scan is within one day
        linke = self._turbidity_at(day) * haze
        ghi: Array = 0.868 * _extraterrestrial(day) * cosine * np.exp(-0.0387 * air_mass * linke)  # at 0 m
        return ghi

    def see(self, slot: Array | float, offset: Array) -> Observation:
        """Return what is seen of slots (seconds UTC from EPOCH) whose lines are scanned `offset` seconds later.

        The sun stands where it is when the line is scanned; the clouds where they are in the middle of the scan.
        """
        slot = np.asarray(slot, float)
        shape = np.broadcast_shapes(slot.shape, self.latitude.shape)
        ghi, share, cloud = np.zeros(shape, "f4"), np.ones(shape, "f4"), np.zeros(shape, "f4")
        cosine = self.cos_zenith(slot + offset)
        lit = np.flatnonzero(cosine > -0.005)
        if lit.size:
            several = self.latitude.size > 1
            there, when = (self._take(lit), slot) if several else (self, slot[lit] if slot.ndim else slot)
            ghi[lit], share[lit], cloud[lit] = there._see_lit(when, offset[lit] if several else offset, cosine[lit])
        return Observation(ghi, share, cloud)

    def _see_lit(self, slot: Array, offset: Array, cosine: Array) -> tuple[Array, Array, Array]:
        weather = self._sky.noise(0, self._north, self._east, slot + MID_SCAN, self._wind)
        state = self._cloud_state(slot + MID_SCAN, weather)
        cover = _smooth(state / np.float32(0.9) + np.float32(0.5))
        seen = slot + offset
        ghi = self.clear_sky(seen, cosine=cosine, haze=1 + np.float32(0.08) * weather) * (1 - cover * _thickness(state))
        clearness = ghi / (_extraterrestrial(slot) * np.maximum(cosine, np.float32(0.065)))
        return ghi, _erbs(clearness), cover

    def _cloud_state(self, seconds: Array, weather: Array) -> Array:
        """Return the field whose positive values are cloud, the thicker the higher."""
        state = self._bias(seconds)
        for number, layer in enumerate(_LAYERS):
            weight = layer.weight + self._driven * np.float32(_DRIVEN_WEIGHTS[number] - layer.weight)
            noise = self._sky.noise(number, self._north, self._east, seconds, self._wind) if number else weather
            state = state + weight * noise
        return state

    def _bias(self, seconds: Array) -> Array:
        """Return the mean of that field: by latitude, season and hour, and by the typical year near its place."""
        day = np.asarray(seconds / _DAY)
        rains = (7.0 * np.sin(2 * np.pi * (day - 120) / 365) + 3).astype("f4")
        hour = (day % 1.0 * 24).astype("f4") + self._east / 15
        bias = self._climate + 1.25 * np.exp(-(((self._north - rains) / 8) ** 2))
        bias = bias + np.float32(0.2) * np.cos((hour - np.float32(15.5)) * np.float32(2 * np.pi / 24))
        at, value = self._sky.driven
        result: Array = bias + self._driven * (np.interp(seconds, at, value).astype("f4") - bias)
        return result

    def _turbidity_at(self, seconds: Array) -> Array:
        """Return the Linke turbidity on these days, between the middles of the months."""
        months = np.asarray(seconds) / _DAY / (365 / 12) - 0.5
        before = np.floor(months).astype(np.int64)
        part = (months - before).astype("f4")
        column = np.arange(self.latitude.size)
        early, late = self._turbidity[before % 12, column], self._turbidity[(before + 1) % 12, column]
        result: Array = (early * (1 - part) + late * part) / np.float32(20)
        return result

    def _take(self, where: Array) -> SkyPatch:
        part = object.__new__(SkyPatch)
        for name, value in self.__dict__.items():
            part.__dict__[name] = value[where] if isinstance(value, np.ndarray) and value.ndim == 1 else value
        part._wind = (self._wind[0][where], self._wind[1][where])
        part.__dict__["_turbidity"] = self._turbidity[:, where]
        return part


def typical_year_file() -> bytes:
    """Return the file of the PVGIS typical year at 45 N 8 E, as PVGIS wrote it."""
    packed = resources.files("datalake_kit") / "_demo_data" / "irradiance" / f"{TYPICAL_YEAR}.xz"
    return lzma.decompress(packed.read_bytes())


@lru_cache(maxsize=1)
def typical_year() -> Array:
    """Return ghi, dni, dhi in W/m2 of the 8,760 hours of the PVGIS typical year at 45 N 8 E."""
    lines = typical_year_file().decode("ascii").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("time(UTC)"))
    rows = csv.DictReader(lines[first : first + 8761])
    values = [[float(row[name]) for name in ("G(h)", "Gb(n)", "Gd(h)")] for row in rows]
    return np.array(values) + 0.0  # PVGIS writes the night's direct part as -0.0


def _linke_turbidity(latitude: Array, longitude: Array) -> Array:
    """Return (12, n) of twenty times the monthly Linke turbidity: pvlib's climatology, its nearest cell."""
    import h5py
    import pvlib

    row = np.clip(np.rint((90 - latitude) / 180 * 2160 - 0.5).astype(int), 0, 2159)
    column = np.clip(np.rint((longitude + 180) / 360 * 4320 - 0.5).astype(int), 0, 4319)
    with h5py.File(Path(pvlib.__file__).parent / "data" / "LinkeTurbidities.h5", "r") as file:
        rows, columns = slice(row.min(), row.max() + 1), slice(column.min(), column.max() + 1)
        box = file["LinkeTurbidity"][rows, columns, :]
    result: Array = np.ascontiguousarray(box[row - row.min(), column - column.min()].T)
    return result


def _extraterrestrial(seconds: Array) -> Array:
    angle = 2 * np.pi * (np.asarray(seconds) / _DAY) / 365
    result: Array = (1366.1 * (1.00011 + 0.034221 * np.cos(angle) + 0.00128 * np.sin(angle))).astype("f4")
    return result


def _wind(latitude: Array) -> tuple[Array, Array]:
    """Return degrees of longitude and latitude per second: westerlies, trades, a slow drift towards the poles."""
    away = np.abs(latitude)
    east: Array = 12 * np.exp(-(((away - 48) / 15) ** 2)) - 7 * np.exp(-((latitude / 17) ** 2))
    north: Array = 1.5 * np.sin(np.radians(3 * latitude)) / 111_320
    east = east / (111_320 * np.cos(np.radians(np.minimum(away, 75))))
    return east.astype("f4"), north.astype("f4")


def _climate(latitude: Array) -> Array:
    """Return the part of the cloud bias that no season changes: dry near 25 degrees, cloudy beyond 44."""
    away = np.abs(latitude)
    bias: Array = -0.75 - 0.75 * np.exp(-(((away - 25) / 8) ** 2)) + 0.9 / (1 + np.exp(-(away - 44) / 4))
    return bias.astype("f4")


def _thickness(state: Array) -> Array:
    """Return the share of light that full cover takes away."""
    return np.asarray(np.clip(np.float32(0.28) + np.float32(0.32) * state, 0.2, 0.9))


def _erbs(clearness: Array) -> Array:
    k = np.clip(clearness, 0, 1)
    middle = 0.9511 + k * (-0.1604 + k * (4.388 + k * (-16.638 + k * 12.336)))
    result: Array = np.where(k <= 0.22, 1 - 0.09 * k, np.where(k > 0.8, 0.165, middle))
    return result


def _smooth(x: Array) -> Array:
    x = np.clip(x, 0, 1)
    result: Array = x * x * (3 - 2 * x)
    return result


def _mean_clearness(spread: float) -> tuple[Array, Array]:
    """Return biases, and the mean clearness that the cloud formula gives with noise of this spread about each."""
    bias = np.linspace(-2.5, 3.0, 111)
    step = np.linspace(-3.5, 3.5, 281)
    weight = np.exp(-(step**2) / 2)
    state = bias[:, None] + spread * step[None, :]
    clearness = 1 - _smooth(state / 0.9 + 0.5) * _thickness(state)
    return bias, (clearness * weight).sum(1) / weight.sum()


def _texture(random: np.random.Generator, layer: _Layer) -> Array:
    """Return periodic noise of unit variance whose power falls with the wave number."""
    spectrum = np.fft.rfft2(random.standard_normal((layer.size, layer.size)))
    along = np.fft.fftfreq(layer.size)[:, None] * layer.size
    across = np.fft.rfftfreq(layer.size)[None, :] * layer.size
    wave = np.hypot(along, across)
    wave[0, 0] = np.inf  # no mean
    field = np.fft.irfft2(spectrum * np.maximum(wave, 2.5) ** (-layer.slope / 2), s=(layer.size, layer.size))
    return np.pad(field / field.std(), (0, 1), mode="wrap").astype("f4")


def _look_up(texture: Array, x: Array, y: Array) -> Array:
    """Return the periodic texture between its points, by straight lines."""
    size = texture.shape[0] - 1  # the first row and column stand again behind the last
    left, low = np.floor(x), np.floor(y)
    dx, dy = x - left, y - low
    at = (low.astype(np.int32) & (size - 1)) * (size + 1) + (left.astype(np.int32) & (size - 1))
    flat = texture.reshape(-1)
    near = flat[at]
    near += (flat[at + 1] - near) * dx
    at += size + 1
    far = flat[at]
    far += (flat[at + 1] - far) * dx
    result: Array = near + (far - near) * dy
    return result
