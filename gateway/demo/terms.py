"""The clinical terms the demo uses: published SNOMED CT concepts, or plain words."""

from typing import Final

from gateway.demo.chronicle import Coded

FALL: Final = Coded("Fall", "1912002")
HIP_FRACTURE: Final = Coded("Fracture of neck of femur", "5913000")
STROKE: Final = Coded("Stroke", "230690007")
FRAILTY: Final = Coded("Frailty", "248279007")
PNEUMONIA: Final = Coded("Pneumonia", "233604007")
BREATHLESS: Final = Coded("Breathlessness", "267036007")
CHEST_PAIN: Final = Coded("Chest pain", "29857009")
CONFUSION: Final = Coded("Acute confusion", "130987000")
OVERDOSE: Final = Coded("Overdose", "1149222004")
LOW_MOOD: Final = Coded("Low mood", "366979004")
DEPRESSION: Final = Coded("Depressive disorder", "35489007")
PSYCHOSIS: Final = Coded("Psychotic disorder", "69322001")
DEMENTIA: Final = Coded("Dementia", "52448006")
PREGNANCY: Final = Coded("Pregnancy", "77386006")
LABOUR: Final = Coded("Normal delivery", "48782003")
CAESAREAN: Final = Coded("Caesarean section", "11466000")
HIP_ARTHRITIS: Final = Coded("Osteoarthritis of hip", "239872002")
HIP_REPLACEMENT: Final = Coded("Total replacement of hip", "52734007")
CATARACT: Final = Coded("Cataract", "193570009")
CATARACT_SURGERY: Final = Coded("Cataract surgery", "110473004")
HIP_FIXATION: Final = Coded("Internal fixation of fracture of hip")
THROMBOLYSIS: Final = Coded("Thrombolysis", "307521008")
HYPERTENSION: Final = Coded("Hypertension", "38341003")
DIABETES: Final = Coded("Type 2 diabetes mellitus", "44054006")
ASTHMA: Final = Coded("Asthma", "195967001")
ATRIAL_FIBRILLATION: Final = Coded("Atrial fibrillation", "49436004")
COUGH: Final = Coded("Cough", "49727002")
BACK_PAIN: Final = Coded("Back pain", "161891005")
RASH: Final = Coded("Rash", "271807003")
MEDICATION_REVIEW: Final = Coded("Medication review", "182836005")
SEXUAL_HEALTH: Final = Coded("Sexual health problem")
PENICILLIN_ALLERGY: Final = Coded("Allergy to penicillin", "91936005")
FLU_VACCINE: Final = Coded("Influenza vaccination")
CT_HEAD: Final = Coded("CT of head", "303653007")

PHYSIOTHERAPY: Final = Coded("Physiotherapy at home")
NURSING: Final = Coded("District nurse: wound care")
STROKE_REHABILITATION: Final = Coded("Early supported discharge: stroke")
HEALTH_VISITOR: Final = Coded("Health visitor: new birth visit")

ORDINARY: Final = (COUGH, BACK_PAIN, RASH, MEDICATION_REVIEW)
LONG_TERM: Final = (
    (HYPERTENSION, Coded("Amlodipine 5mg tablets"), "One each morning"),
    (DIABETES, Coded("Metformin 500mg tablets"), "One twice a day with food"),
    (ASTHMA, Coded("Salbutamol 100micrograms/dose inhaler"), "Two puffs when needed"),
    (ATRIAL_FIBRILLATION, Coded("Apixaban 5mg tablets"), "One twice a day"),
)
LITHIUM: Final = Coded("Lithium carbonate 400mg modified-release tablets")
SERTRALINE: Final = Coded("Sertraline 50mg tablets")

MEASURES: Final = {
    "Systolic blood pressure": Coded("Systolic blood pressure", "271649006"),
    "Body weight": Coded("Body weight", "27113001"),
    "Haemoglobin A1c": Coded("Haemoglobin A1c level", "999791000000106"),
    "Clinical frailty scale": Coded("Clinical frailty scale", "763264000"),
}
CONTACT_MODES: Final = ("Face to face", "Telephone", "Video")
