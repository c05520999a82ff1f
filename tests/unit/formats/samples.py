"""A small file of each format, written here, as its instrument or centre would write it."""

import gzip
import io
import zipfile

EC_NAME = "DE-HoH_EC_201907301200_L99_F01.csv"
BM_NAME = "CH-Dav_BM_20230328_L02_F03.csv"
TOA5_NAME = "TOA5_field.meteo_1.dat"
RECORD_NAME = "CH-Fru_sonic_20Hz_20240404-1300.csv"
PICARRO_NAME = "CFADS1234-20240101-000000Z-DataLog_User.dat"
ATC_NAME = "ICOS_ATC_NRT_XYZ_2024-01-01_CO2.csv"
OTC_NAME = "line.csv"


def eddy_covariance(rows: int = 1800) -> bytes:
    lines = ["U,V,W,T_SONIC,CO2", *(f"{i % 7 - 3}.25,0.5,-0.125,{290 + i % 3}.5,{400 + i % 11}" for i in range(rows))]
    return "\n".join([*lines, ""]).encode()


def biomet(rows: int = 4) -> bytes:
    lines = ['"TIMESTAMP","RECORD","TA_1_1_1","PPFD_IN","STATE"', '"TS","RN","°C","µmol m-2 s-1",""']
    lines += [f'"202303280000{10 * i:02d}",{i},{i / 2},-9999,"open"' for i in range(rows)]
    return "\r\n".join([*lines, ""]).encode()


def toa5(
    rows: int = 5, environment: str = '"TOA5","Field","CR3000","2835","CR3000.Std.12","CPU:a.CR3","1","meteo"'
) -> bytes:
    lines = [
        environment,
        '"TIMESTAMP","RECORD","TA_Avg","CO2"',
        '"TS","RN","Celsius","µmol mol-1"',
        '"","","Avg","Smp"',
    ]
    lines += [f'"2012-03-28 12:{i:02d}:00",{i},{20 + i / 4},"NAN"' for i in range(rows)]
    return "\r\n".join([*lines, ""]).encode()


def record(rows: int = 6) -> bytes:
    environment = '"TOA5","fru-box1","x86_64","","Linux","record","",""'
    lines = [environment, '"U","V","W"', '"","",""', '"","",""', *(f"0.5,{i},-0.25" for i in range(rows))]
    return "\n".join([*lines, ""]).encode()


def picarro(rows: int = 3) -> bytes:
    names = ["DATE", "TIME", "JULIAN_DAYS", "EPOCH_TIME", "ALARM_STATUS", "CO2_dry", "H2O"]
    lines = [names]
    for i in range(rows):
        lines.append(
            [
                "2024-01-01",
                f"00:00:{i:02d}.125",
                "1.00000000",
                f"{1704067200 + i}.125",
                "0",
                f"{4.1 + i:.10f}E+002",
                "1.5E+000",
            ]
        )
    return "".join("".join(cell.ljust(26) for cell in line) + "\r\n" for line in lines).encode()


def atc(rows: int = 3, header_lines: int | None = None, total_lines: int | None = None) -> bytes:
    header = [
        "# TITLE: CO2 - NRT Continuous air",
        f"# TOTAL LINES: {total_lines or 8 + rows}",
        f"# HEADER LINES: {header_lines or 8}",
        "# STATION CODE: XYZ",
        "# PARAMETER: CO2",
        "# MEASUREMENT UNIT: umol.mol-¹",
        "# TIME ZONE: UTC +1",
        "#Site;SamplingHeight;Year;Month;Day;Hour;Minute;DecimalDate;co2;Stdev;NbPoints;Flag;InstrumentId;H2O",
    ]
    flags = "UNO"
    body = [
        f"XYZ;50.0;2024;01;01;{i:02d};00;2024.0;{420 + i}.5;-9.99;8;{flags[i % 3]};77;-999.990" for i in range(rows)
    ]
    return "\n".join([*header, *body, ""]).encode()


def otc() -> bytes:
    header = "Date/Time,Longitude,Longitude QC Flag,Longitude Type,Temp [degC],Temp [degC] QC Flag,Temp [degC] QC Comment,pCO2 [uatm]"
    lines = [
        header,
        "2020-01-01T00:00:00.000Z,12.7516,2,M,10.5,2,,351.25",
        '2020-01-01T00:01:00.500Z,12.7520,4,M,10.6,3,"warm, stirred",NaN',
        "2020-01-01T00:01:00.500Z,12.7521,2,M,NaN,4,,351.5",
    ]
    return "\n".join([*lines, ""]).encode()


SAMPLES = {
    "etc-eddy-covariance": (EC_NAME, eddy_covariance()),
    "etc-biomet": (BM_NAME, biomet()),
    "campbell-toa5": (TOA5_NAME, toa5()),
    "picarro-datalog": (PICARRO_NAME, picarro()),
    "atc-product": (ATC_NAME, atc()),
    "otc-product": (OTC_NAME, otc()),
}
"""By format: a name and a content."""


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def zipped(*entries: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return packed.getvalue()
