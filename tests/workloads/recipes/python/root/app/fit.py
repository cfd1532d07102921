"""A line through the patients' ages and outcomes: what a small analysis does."""
import numpy as np

age, outcome = np.loadtxt("/safe_data/patients.csv", delimiter=",", skiprows=1, usecols=(1, 2), unpack=True)
slope, offset = np.polyfit(age, outcome, 1)
np.savetxt("/safe_outputs/fit.csv", [[slope, offset]], delimiter=",", header="slope,offset", comments="", fmt="%.4f")
np.save("/safe_outputs/large.npy", np.linalg.inv(np.random.default_rng(1).normal(size=(500, 500))))
print(f"fit: {age.size} patients, slope {slope:.4f}")
