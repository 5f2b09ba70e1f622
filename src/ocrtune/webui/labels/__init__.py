"""Labels on the page: checked, looked at, corrected and saved (the tab data)."""
