"""Rows of real ICOS files that are public, counted by others, so that the demo does not have to trust its own reading of them.

By id24 (the first 24 characters of base64url of the file's SHA-256), which is also how the ICOS Carbon Portal names an object.
"""

ROWS = {
    "D7CU_UgTWDNJXAt9aD4b_VH3": 36_000,  # DE-HoH_EC_201907301200_v01.csv, half an hour at 20 Hz
    "wto9nGG542iG1fC6RmBQ1JiK": 2_679,  # CFADS2283-20150831-171845Z-DataLog_User.dat
    "yfoIJCjR_49XUxaQUW89Aweg": 9,  # CFADS2283-20180801-003712Z-DataLog_User.dat
    "zHCCLiS_-Th5oenKPiKDi6IP": 347,  # TOA5_Feud.meteo_12.dat
    "8XchuI4tqjtHRFwX6c4gZNNE": 96,  # CH-OE2_TOA5_1min_20220629-1714.dat
    "QxhbdEGiFmEttZUoD1p8A9gB": 96,  # CH-FRU_TOA5_20Hz_20240404-1300.csv.gz
    "uml5aX8sMLCj1vUirMTnopwA": 98,  # CH-Dav_BM_20230328_L02_F03.zip
    "X2QzsKs3xpXJwuZt8dQHddyN": 24,  # ICOS_ATC_NRT_GAT_2018-04-12CO2.csv
    "hizIOgFjdyRV1MTvcHSb7OtR": 24,  # realatc.CO2.zip
    "55V0hnD0QtbqphifDwroXk0Z": 8,  # otc_quality_flags.csv
    "W1O1AHHbRNNMG1zNE7vQb8ig": 8,  # otc_no_quality_flags.csv
}
"""Source: the files' own descriptions (ICOS ecosystem, atmosphere and ocean formats): lines below the header."""
