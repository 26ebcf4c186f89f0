# What programs use of Python: see python.py.
python3 "$CASES/python.py"
echo "status $?"
