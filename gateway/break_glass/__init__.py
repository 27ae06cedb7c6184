"""Breaking the glass: declared with a reason, short, and looked over afterwards."""
