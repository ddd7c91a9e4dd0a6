"""Forms from pydantic models and back: settings and items of collections, without JavaScript."""

from threepeat_tenants.forms.form import Complaint, Form, Section, Submitted, parse
from threepeat_tenants.forms.surroundings import Surroundings
from threepeat_tenants.forms.worked import examples

__all__ = ["Complaint", "Form", "Section", "Submitted", "Surroundings", "examples", "parse"]
