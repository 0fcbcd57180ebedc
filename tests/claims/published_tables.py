"""The tables of the papers: where each stands, its columns, and the numbers in it; of a text alone, none."""

from dataclasses import dataclass

__all__ = ["TABLES", "PaperTable"]


@dataclass(frozen=True)
class PaperTable:
    """A printed table.

    Numbers are without their signs and units; digits that stand alone, years, names, and changes in brackets behind the
    number that they belong to are left out.
    """

    paper: str
    place: str
    columns: str
    numbers: str = ""


TABLES = (
    PaperTable("sigma_gravity", "§1.6", "Section | Content", ""),
    PaperTable("sigma_gravity", "§2.5", "Regime | v_rot/σ | C | Physical Interpretation", "0.5"),
    PaperTable("sigma_gravity", "§2.7", "Mode | Physical Origin | Incoherent | Coherent", ""),
    PaperTable("sigma_gravity", "§2.8.3", "Quantity | Value", "2.57 1.9 4.9 4.6 94"),
    PaperTable(
        "sigma_gravity",
        "§2.8.5",
        "System | Path Length L | Predicted A | Used A",
        "1.5 1.79 1.73 17 3.26 3.1 400 7.15 8.0",
    ),
    PaperTable("sigma_gravity", "§2.11", "Symbol | Formula | Description", ""),
    PaperTable("sigma_gravity", "§2.11", "Parameter | Value | Description", "0.40 0.27"),
    PaperTable("sigma_gravity", "§2.12", "Parameter | Formula | Status | Notes", "0.40 0.27"),
    PaperTable(
        "sigma_gravity",
        "§2.12.1",
        "System | Path Length L | A = 1.6 × L^0.25 | Observed A | Error",
        "1.55 1.79 1.73 17.3 3.26 3.07 400 7.15 8.0 11",
    ),
    PaperTable(
        "sigma_gravity",
        "§2.13",
        "$g/g^\\dagger$ | Σ-Gravity | MOND | Difference",
        "0.01 18.28 10.49 74 0.1 5.01 3.67 37 1.0 1.87 1.62 15 10.0 1.08 1.05",
    ),
    PaperTable(
        "sigma_gravity",
        "§2.14.1",
        "Separation | g_internal | g/g† | Regime",
        "1,000 5.9e-10 6.1 5,000 2.4e-11 0.25 10,000 5.9e-12 0.06 20,000 1.5e-12 0.015",
    ),
    PaperTable(
        "sigma_gravity",
        "§2.14.1",
        "Separation | Without EFE (v_obs/v_Kep) | With EFE (v_obs/v_Kep) | Suppression",
        "5,000 1.32 1.08 75 10,000 1.52 1.12 77 20,000 1.85 1.15 82",
    ),
    PaperTable("sigma_gravity", "§2.14.1", "System Type | Coherence | Enhancement", "8.0"),
    PaperTable("sigma_gravity", "§2.14.0", "Field | Lagrangian | Coupling | Physical reason", ""),
    PaperTable("sigma_gravity", "§2.14.5", "Constraint | Claim | Observational Bound | Status", ""),
    PaperTable("sigma_gravity", "§3.1", "Dataset | N | Source | Description", "171 28,368 42 63"),
    PaperTable("sigma_gravity", "§3.2", "Criterion | N", "175 174 171"),
    PaperTable("sigma_gravity", "§3.5", "Approach | Parameters per galaxy | Total (N=171)", "340 510"),
    PaperTable("sigma_gravity", "§4.1", "Metric | Σ-Gravity | MOND | Notes", "17.75 17.15 171 47.4 52.6"),
    PaperTable(
        "sigma_gravity", "§4.1.1", "Metric | Σ-Gravity | ΛCDM (NFW)", "1.42 1.58 0.98 1.12 97 74 0.05 0.105 0.112"
    ),
    PaperTable("sigma_gravity", "§4.2", "Model | Mean Residual | RMS | Improvement", "0.7 27.6 8.1 30.3 9.0"),
    PaperTable("sigma_gravity", "§4.3", "Field | Lagrangian | Coupling | Consequence", ""),
    PaperTable("sigma_gravity", "§4.3", "Metric | Value | Notes", "0.987 42 0.132 100"),
    PaperTable("sigma_gravity", "§4.3", "Theory | M_predicted/M_lensing | Notes", "0.10 0.15 0.33 0.95 1.05 0.987"),
    PaperTable(
        "sigma_gravity",
        "§4.3",
        "Cluster | z | M_gas | M_star | M_bar | MSL | Ratio | Gas Source",
        (
            "0.31 8.5 3.0 11.5 179.7 0.37 0.38 10.0 3.5 13.5 234.1 0.30 0.40 6.5 2.5 9.0 154.7 0.55 "
            "12.0 15.5 234.7 0.32 0.18 7.0 9.5 150.0 0.42 5.0 2.0 120.0 0.47 0.19 1.5 4.5 65.0 0.72"
        ),
    ),
    PaperTable("sigma_gravity", "§4.3", "Effect | Factor | Source", "2.57 1.9 0.53 4.9 4.6"),
    PaperTable(
        "sigma_gravity",
        "§4.4",
        "Domain | Formula | Amplitude | Performance",
        "171 1.173 17.75 47 28,368 29.5 42 8.45 600 0.987 0.132",
    ),
    PaperTable(
        "sigma_gravity",
        "§5.2",
        "Counter-rotation % | Σ-Gravity | MOND | Difference",
        "2.69 2.56 25 2.27 11 50 1.84 28 100 1.00 61",
    ),
    PaperTable(
        "sigma_gravity",
        "§5.2",
        "$\\sigma_v/v_c$ | $\\sigma_v$ (km/s) | $W_{\\text{eff}}$ | Σ | Comment",
        "0.0 0.816 2.69 0.1 20 0.808 2.67 0.2 40 0.784 2.61 0.3 60 0.743 2.51",
    ),
    PaperTable(
        "sigma_gravity",
        "§5.2",
        "Environment | Coherence | Predicted Σ | vs MOND",
        "1.0 2.69 0.9 2.51 0.7 2.15 16 0.5 1.84 28",
    ),
    PaperTable("sigma_gravity", "§5.4.2", "System | Correlation with fitted r₀ | Interpretation", "0.43 0.79 0.6 0.8"),
    PaperTable("sigma_gravity", "§5.4.5", "Target | Current Status | Path Forward", "0.77"),
    PaperTable("sigma_gravity", "§6.2", "Test | Result | N", "17.75 171 0.987 42 29.5 28,368"),
    PaperTable("supplementary_information", "§1", "Component | Formula | Description", ""),
    PaperTable("supplementary_information", "§1", "Parameter | Value | Description", "0.40 0.27"),
    PaperTable(
        "supplementary_information",
        "§2",
        "Parameter | Symbol | Value | Units | Status",
        "9.599e-11 1.1725 0.40 0.27 0.5 0.7",
    ),
    PaperTable(
        "supplementary_information",
        "§2",
        "Constant | Symbol | Value | Units",
        "2.998e8 70 2.27e-18 6.674e-11 1.989e30 3.086e19",
    ),
    PaperTable("supplementary_information", "§3.1", "Column | Name | Units | Description", ""),
    PaperTable("supplementary_information", "§3.1", "Criterion | N | Notes", "175 174 171"),
    PaperTable("supplementary_information", "§3.2", "Criterion | N remaining | Rationale", "94 68 2.0 42"),
    PaperTable("supplementary_information", "§4", "Parameter | Value | Status", "0.4 0.27 0.5 0.7"),
    PaperTable(
        "supplementary_information",
        "§4a",
        "# | Test | Gold Standard | Σ-Gravity | MOND | ΛCDM",
        ("17.75 17.15 15 0.987 0.33 1.0 29.5 30 25 1.77e-9 10 0.004 3.5 63 35 0.72 9.5 0.36 0.3 1.12 0.5 2.1"),
    ),
    PaperTable("supplementary_information", "§4a", "Observable | Value | Source", "1.2e-10 2.3e-5 3.98 0.06 35 10 2.1"),
    PaperTable(
        "supplementary_information",
        "§4a",
        "Test | Expected Result",
        (
            "17.75 0.097 47.4 0.987 0.132 42 29.5 28,368 2.966 0.169 0.302 0.004 0.87 63.2 10 0.72 20.8 "
            "9.5 200 0.36 1.5 2.7e-10 1100 1.12"
        ),
    ),
    PaperTable(
        "supplementary_information", "§5", "Metric | Σ-Gravity | MOND | Notes", "17.75 17.15 171 47.4 52.6 0.097 0.098"
    ),
    PaperTable(
        "supplementary_information", "§5", "Theory | Free params/galaxy | SPARC RMS | Clusters", "10 17.15 15 17.75"
    ),
    PaperTable("supplementary_information", "§6", "Metric | Value | Notes", "0.987 42 0.132 0.67 1.48 1.5"),
    PaperTable("supplementary_information", "§6", "Theory | M_pred/M_lens | Notes", "0.10 0.15 0.33 0.95 1.05 0.987"),
    PaperTable("supplementary_information", "§7", "Model | RMS | Notes", "29.5 28,368 30.3"),
    PaperTable(
        "supplementary_information", "§8.1", "Metric | Counter-Rotating | Normal | Difference", "0.169 0.302 44 0.004"
    ),
    PaperTable("supplementary_information", "§8.2", "z | g†(z)/g†(0)", "1.00 1.77 2.97"),
    PaperTable("supplementary_information", "§8.3", "Location | g/g† | Σ−1", "6e7 10 7e5"),
    PaperTable("supplementary_information", "§9b", "Parameter | Value | Physical Meaning", "20 0.3"),
    PaperTable("supplementary_information", "§9b", "Parameter | Value | Interpretation", "20 0.1 0.3"),
    PaperTable("supplementary_information", "§9b", "Feature | Coherence Survival | MOND | f(R)/f(T)", ""),
    PaperTable("supplementary_information", "§11", "Σ | η", "1.0 2.0 0.75"),
    PaperTable(
        "supplementary_information",
        "§13.3",
        "Metric | Canonical ξ = R_d/(2π) | Dynamical ξ_dyn (k=0.24) | Change",
        "17.48 17.39 0.5 0.194 0.191 1.9 45.6 46.8 66.7 67.6 1.4",
    ),
    PaperTable("supplementary_information", "§13.3", "Test | Reason", "200"),
    PaperTable(
        "supplementary_information",
        "§13.3",
        "Metric | Canonical | Dynamical (k=0.47) | Change",
        "17.48 17.29 1.1 0.194 0.190 2.0 45.6 44.4",
    ),
    PaperTable("supplementary_information", "§13.4", "Scale | Mean (kpc) | Std (kpc)", "0.918 0.634 0.532 0.366 0.72"),
    PaperTable(
        "supplementary_information",
        "§13.5",
        "Formulation | RMS (km/s) | Change | Win vs MOND",
        "17.75 47.4 15 17.82 0.4 20 0.0 25 17.72 0.2 30",
    ),
    PaperTable("supplementary_information", "§14", "W(r) form | SPARC RMS", "17.75 0.5 18.97"),
    PaperTable(
        "supplementary_information",
        "§14",
        "A_galaxy | SPARC RMS | Cluster Ratio",
        "1.0 19.2 0.85 1.173 17.75 0.987 1.5 16.8 1.12",
    ),
    PaperTable(
        "supplementary_information",
        "§15.2",
        "Metric | Σ-Gravity (fitted) | ΛCDM (NFW)",
        "1.42 1.58 0.98 1.12 97 74 0.105 0.112",
    ),
    PaperTable("cmsi", "Why the Solar System passes", "Factor | Galaxy (R=8 kpc) | Solar System (Saturn)", "50 1.0"),
    PaperTable("cmsi", "-", "Previous Attempt | Issue | CMSI Solution", ""),
    PaperTable(
        "cmsi", "Parameters and their physics", "Parameter | Default | Physical Origin", "800 1.5 0.55 0.5 1.0 2.2 50"
    ),
    PaperTable(
        "mass_coherence", "Comparison", "Model | RMS | Correlation | Type", "10.28 0.405 11.05 0.225 11.20 0.061"
    ),
)
